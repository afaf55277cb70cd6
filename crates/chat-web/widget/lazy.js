/** Parts of the panel that few need. */

let tries = 0;

/**
 * A browser may keep the failure of an address as long as the page lives, so another attempt has another address.
 *
 * @template T
 * @param {string} name of the file
 * @param {Promise<T>} part
 * @returns {Promise<T>}
 */
export const lazy = (name, part) =>
  part.catch(() => {
    const address = `./${name}.js?try=${++tries}`;
    return import(address);
  });
