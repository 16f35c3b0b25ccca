/** The running applications of this process that use a storage: several may have been given the same object. */
const users = new WeakMap<object, Set<object>>();

/** Adds an application that uses a storage. */
export function addStorageUser(storage: object, user: object): void {
  users.set(storage, (users.get(storage) ?? new Set()).add(user));
}

/** Removes an application. Returns whether no other one uses the storage, which can be closed then. */
export function removeStorageUser(storage: object, user: object): boolean {
  const others = users.get(storage);
  others?.delete(user);
  return !others?.size;
}
