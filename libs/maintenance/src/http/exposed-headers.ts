/** The headers that scripts of other origins may read, once the application has admitted their origin. */
const HEADER_NAMES = ['Retry-After', 'Maintenance-Mode', 'Maintenance-Announcement'];

/** The part of a response, or of Fastify's reply, that has the headers. */
interface HeaderOwner {
  getHeader(name: string): unknown;
  setHeader(name: string, value: string): unknown;
}

/**
 * Adds the headers of maintenance to `Access-Control-Expose-Headers`, if CORS admits the origin. A `*` there does not
 * cover requests with credentials, so the names are added to it too.
 */
export function exposeHeaders(response: HeaderOwner): void {
  if (response.getHeader('Access-Control-Allow-Origin') === undefined) return;
  const exposed = [response.getHeader('Access-Control-Expose-Headers') ?? []].flat().map(String);
  const known = exposed
    .join(',')
    .toLowerCase()
    .split(/\s*,\s*/);
  const missing = HEADER_NAMES.filter((name) => !known.includes(name.toLowerCase()));
  if (missing.length > 0) response.setHeader('Access-Control-Expose-Headers', [...exposed, ...missing].join(', '));
}
