/** Two soft notes, made and not loaded. Of all tabs of a browser one plays them. */

/** Tabs hear of a message within this time of each other. */
const TOGETHER_MS = 3_000;

/** @type {AudioContext | undefined} */
let audio;

/** @param {string} id of the message: each sounds once. */
export function sound(id) {
  // Without a click the browser plays nothing, and another tab may be able to.
  if (!navigator.userActivation?.hasBeenActive || !navigator.locks) return;
  // The tab that gets the lock keeps it until all have asked for it.
  const played = navigator.locks.request(`chat sound ${id}`, { ifAvailable: true }, async (lock) => {
    if (!lock) return;
    audio ??= new AudioContext();
    await audio.resume();
    note(audio, 660, 0);
    note(audio, 880, 0.12);
    await new Promise((resolve) => setTimeout(resolve, TOGETHER_MS));
  });
  // A machine without a sound device.
  played.catch(() => {});
}

/** @param {AudioContext} audio @param {number} frequency @param {number} delay */
function note(audio, frequency, delay) {
  const start = audio.currentTime + delay;
  const gain = new GainNode(audio, { gain: 0 });
  const tone = new OscillatorNode(audio, { frequency });
  gain.gain.linearRampToValueAtTime(0, start);
  gain.gain.linearRampToValueAtTime(0.12, start + 0.02);
  gain.gain.exponentialRampToValueAtTime(0.001, start + 0.35);
  tone.connect(gain).connect(audio.destination);
  tone.start(start);
  tone.stop(start + 0.4);
}
