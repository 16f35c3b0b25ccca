/** A window was asked for that makes no sense. The message says what would. */
export class InvalidWindowError extends Error {
  override readonly name = 'InvalidWindowError';
}
