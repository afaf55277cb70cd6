/** The same function, which does nothing after the first time. @param {() => void} run @returns {() => void} */
export function once(run) {
  let isDone = false;
  return () => {
    if (!isDone) run();
    isDone = true;
  };
}
