// Importing this file closes what each test of a spec has opened, after the test and in reverse order.
const opened: (() => unknown)[] = [];

/** Returns a resource, and closes it after the test. */
export function closeLater<T>(resource: T, close: (resource: T) => unknown): T {
  opened.push(() => close(resource));
  return resource;
}

/** Closes at once what is to be closed after the test. */
export async function closeAll(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close();
}

afterEach(closeAll);
