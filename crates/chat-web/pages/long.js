/** Which tests run when. */

/**
 * Whether the tests run that take long, and those that measure times. They need a machine that does nothing else: what is
 * measured on a busy one is the machine.
 */
export const isLong = process.env.CHAT_TEST_LONG === "1";
/** The options of a test that runs then alone. */
export const long = { skip: !isLong && "with CHAT_TEST_LONG=1" };
