/** Shows in errors about an invalid body how a valid one looks. */
export const JSON_EXAMPLE =
  'Send a JSON object such as {"message": "Back at four", "endsAt": "2030-12-01T04:00Z"}, or nothing.';

/** Adds an example of a valid body to the message of a parser's error. */
export function withJsonExample(error: unknown): unknown {
  if (error instanceof Error)
    error.message = `The body is not the JSON that it should be (${error.message}). ${JSON_EXAMPLE}`;
  return error;
}
