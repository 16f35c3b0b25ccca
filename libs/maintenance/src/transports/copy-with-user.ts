/**
 * Returns the request with a `user`, as `exempt.user` expects it: the request's own, or that of the first place which
 * has one, such as a GraphQL context or a socket.
 */
export function copyWithUser<T extends object>(request: T, ...places: unknown[]): T {
  // Plugins of Fastify declare `user` as null.
  if (((request as { user?: unknown }).user ?? null) !== null) return request;
  const users = places.map((place) => (place as { user?: unknown } | null | undefined)?.user);
  const user = users.find((found) => found !== undefined && found !== null);
  if (user === undefined) return request;
  return Object.create(request, { user: { value: user, enumerable: true } }) as T;
}
