/** A small picture of a message: of a file that is not sent yet, or a thumbnail of the server. */

import { useEffect, useRef, useState } from "preact/hooks"

import { html } from "./html.js"

/** @import { Attachment, LocalAttachment } from "../client/index.js" */
/** @import { Ui } from "./ui.js" */

/**
 * @param {{ ui: Ui, file: Attachment | LocalAttachment, open?: (event: MouseEvent) => void }} props
 */
export function Picture({ ui, file, open }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null))
  const address = useAddress(ui, file, box)
  const name = ui.t("openPicture", { name: file.name })
  const colour = file.id === null ? undefined : file.metadata?.dominantColor
  useEffect(() => {
    if (colour) box.current?.style.setProperty("background-color", colour)
  }, [colour])
  const image = address && html`<img src=${address} alt="" />`
  if (!open) return html`<span class="picture" ref=${box}>${image}</span>`
  return html`<button type="button" class="picture" part="picture" aria-label=${name} title=${file.name} ref=${box} onClick=${open}>${image}</button>`
}

/**
 * An address for the bytes of a picture, once it comes into sight. That of a file that has just been sent stays until its
 * thumbnail is there, so that nothing flashes.
 *
 * @param {Ui} ui
 * @param {Attachment | LocalAttachment} file
 * @param {{ current: Element | null }} box
 */
function useAddress(ui, file, box) {
  const [address, setAddress] = useState("")
  const local = file.id === null ? file.file : null
  useEffect(() => {
    let isOver = false
    /** @param {Blob} blob */
    const show = (blob) => isOver || setAddress(URL.createObjectURL(blob))
    if (local) show(local)
    const observer = new IntersectionObserver(([change]) => {
      if (!change?.isIntersecting || file.id === null) return
      observer.disconnect()
      ui.download(file, true).then(show, () => {})
    })
    if (!local && box.current) observer.observe(box.current)
    return () => {
      isOver = true
      observer.disconnect()
    }
  }, [file.id, local])
  useEffect(() => () => URL.revokeObjectURL(address), [address])
  return address
}
