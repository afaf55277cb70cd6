/** Files that wait to be sent: what is accepted, before anything is uploaded, and what is shown as a picture. */

/** The defaults of the server. What it refuses beyond them fails with its reason. */
const MOST_FILES = 10
const LARGEST_FILE = 25 * 1024 * 1024
const LARGEST_MESSAGE = 50 * 1024 * 1024

/** Raster images alone. SVG and HTML could run a script, so they are never rendered, whatever they are called. */
const PICTURES = /^image\/(?:avif|gif|jpeg|png|webp)$/

/** @param {{ type: string }} file */
export const isPicture = (file) => PICTURES.test(file.type)

/**
 * @typedef {"tooMany" | "tooLarge" | "tooLargeTogether" | "emptyFile"} Refusal
 * @param {readonly File[]} waiting
 * @param {readonly File[]} added
 * @returns {{ files: File[], refused: { reason: Refusal, name: string }[] }}
 */
export function accept(waiting, added) {
  const files = [...waiting]
  /** @type {{ reason: Refusal, name: string }[]} */
  const refused = []
  let total = files.reduce((sum, file) => sum + file.size, 0)
  for (const file of added) {
    const reason = refusal(files, total, file)
    if (reason) refused.push({ reason, name: file.name })
    else {
      files.push(file)
      total += file.size
    }
  }
  return { files, refused }
}

/** @param {File[]} files @param {number} total @param {File} file @returns {Refusal | null} */
function refusal(files, total, file) {
  if (file.size === 0) return "emptyFile"
  if (file.size > LARGEST_FILE) return "tooLarge"
  if (files.length >= MOST_FILES) return "tooMany"
  return total + file.size > LARGEST_MESSAGE ? "tooLargeTogether" : null
}

/** Such as "1.4 MB", by `Intl`. @param {string} lang @param {number} bytes */
export function size(lang, bytes) {
  const [unit, value] =
    bytes >= 1e6 ? ["megabyte", bytes / 1e6] : bytes >= 1e3 ? ["kilobyte", bytes / 1e3] : ["byte", bytes]
  return new Intl.NumberFormat(lang, {
    style: "unit",
    unit: String(unit),
    unitDisplay: "short",
    maximumFractionDigits: Number(value) < 10 ? 1 : 0,
  }).format(Number(value))
}

/** Saves bytes under a name. @param {Blob} blob @param {string} name */
export function save(blob, name) {
  const link = document.createElement("a")
  // As bytes without a type: the browser saves them and shows nothing.
  link.href = URL.createObjectURL(new Blob([blob], { type: "application/octet-stream" }))
  link.download = name
  link.click()
  // The browser has taken the bytes when the click is handled; the address holds them until it is given back.
  setTimeout(() => URL.revokeObjectURL(link.href), 1_000)
}
