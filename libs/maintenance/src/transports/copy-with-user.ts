/**
 * A request for `exempt.user`, which finds the user there as in every request: one that was found in another place, a GraphQL context
 * or a socket, is laid over it.
 */
export function copyWithUser<T extends object>(request: T, ...places: unknown[]): T {
  // Fastify's plugins declare it as null.
  if (((request as { user?: unknown }).user ?? null) !== null) return request;
  const users = places.map((place) => (place as { user?: unknown } | null | undefined)?.user);
  const user = users.find((found) => found !== undefined && found !== null);
  if (user === undefined) return request;
  return Object.create(request, { user: { value: user, enumerable: true } }) as T;
}
