/** The payload that callers and sockets receive from a full window on all scopes without a message. */
export const REFUSED = {
  status: 'error',
  code: 'SERVICE_UNAVAILABLE',
  errorCode: 'MAINTENANCE',
  message: 'The service is down for maintenance. Please try again later.',
  retryAfter: 3600,
  startsAt: expect.any(String),
  endsAt: null,
  scope: '*',
  mode: 'full',
};
