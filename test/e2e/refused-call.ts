/** What callers and sockets are told by a window on everything that says nothing of its own. */
export const REFUSED = {
  status: 'error',
  code: 'SERVICE_UNAVAILABLE',
  message: 'The service is down for maintenance. Please try again later.',
  retryAfter: 3600,
  startsAt: expect.any(String),
  endsAt: null,
  scope: '*',
  mode: 'full',
};
