/** The number of running applications in this process that use a storage. */
const users = new WeakMap<object, number>();

/** Adds an application that uses a storage: several applications may have been given the same object. */
export function addStorageUser(storage: object): void {
  users.set(storage, (users.get(storage) ?? 0) + 1);
}

/** Removes an application that was added. */
export function removeStorageUser(storage: object): void {
  users.set(storage, (users.get(storage) ?? 1) - 1);
}

/** Whether a running application uses a storage, which must not be closed then. */
export function hasStorageUsers(storage: object): boolean {
  return (users.get(storage) ?? 0) > 0;
}
