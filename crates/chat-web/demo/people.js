/** The tokens of the people whom development mode has. */

/** @typedef {{ id: string, role: string, token: string }} Person */

/** @returns {Promise<{ alice: string, bob: string }>} */
export async function fetchPeople() {
  const response = await fetch("console/development-people", { cache: "no-store" });
  if (!response.ok) throw new Error(`the people of development mode are not given to this page (${response.status})`);
  /** @type {{ people: Person[] }} */
  const { people } = await response.json();
  const tokenOf = (/** @type {string} */ id) => people.find((person) => person.id === id)?.token ?? "";
  return { alice: tokenOf("alice"), bob: tokenOf("bob") };
}
