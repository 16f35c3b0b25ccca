/** The most bytes that a state, or the report of an instance, may have: thousands of windows, and still quick to read. */
export const MAX_STATE_BYTES = 1024 * 1024;
