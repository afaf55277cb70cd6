/** The composer of a thread. What waits in it is kept when it goes: the thread may get another one. */

import { Composer } from "../ui/composer.js";

/** @import { ComposerProps, ComposerState } from "../ui/composer.js" */

/**
 * @typedef {object} Waiting
 * @property {readonly File[]} waiting the files that wait at first
 * @property {(files: readonly File[]) => void} filesChanged
 */

export class ThreadComposer extends Composer {
  componentDidMount() {
    super.componentDidMount();
    const { waiting } = /** @type {ComposerProps & Waiting} */ (this.props);
    if (waiting.length) this.setState({ files: [...waiting] });
  }

  /** @param {ComposerProps} _ @param {ComposerState} before */
  componentDidUpdate(_, before) {
    const { files } = this.state;
    if (files !== before.files) /** @type {ComposerProps & Waiting} */ (this.props).filesChanged(files);
  }
}
