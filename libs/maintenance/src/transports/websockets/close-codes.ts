/** "Try again later" (the registry of RFC 6455's close codes). */
export const CLOSE_CODE_TRY_AGAIN_LATER = 1013;
/** The reason in a close frame. It has at most 123 bytes, so the message of a window might not fit. */
export const CLOSE_REASON = 'Down for maintenance';
