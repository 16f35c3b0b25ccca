/** Ends every sentence about a body that makes no sense. */
export const JSON_EXAMPLE =
  'Send a JSON object such as {"message": "Back at four", "endsAt": "2030-12-01T04:00Z"}, or nothing.';

/** The error of a parser, with a message that shows what would have been right. */
export function withJsonExample(error: unknown): unknown {
  if (error instanceof Error)
    error.message = `The body is not the JSON that it should be (${error.message}). ${JSON_EXAMPLE}`;
  return error;
}
