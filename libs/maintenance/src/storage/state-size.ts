/** The maximum size of a stored state, in bytes: thousands of windows, and still quick to read. */
export const MAX_STATE_BYTES = 1024 * 1024;
