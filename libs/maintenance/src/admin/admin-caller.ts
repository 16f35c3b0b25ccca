import { normalizeClientAddress } from '../utils/ip-address.js';

const CALLER = Symbol('nestjs-maintenance:admin-caller');

/** A session of the panel, from the cookie of the browser. */
export interface AdminSession {
  id: string;
  access: 'change' | 'view';
  /** Milliseconds since the epoch. */
  endsAt: number;
  /** The name that the operator gave at sign-in. */
  name?: string;
}

/** The caller of an admin endpoint, after the guards. */
export interface AdminCaller {
  /** Whether it may change anything, or only look. */
  access: 'change' | 'view';
  /** `null` where it sends the token itself, or where only guards of the application protect the endpoints. */
  session: AdminSession | null;
}

/** Guards of the application alone decide who may call: they have no callers that may only look. */
const ADMITTED_BY_GUARDS: AdminCaller = { access: 'change', session: null };

interface RequestWithCaller {
  user?: unknown;
  [CALLER]?: AdminCaller;
}

/** Keeps the caller with its request. */
export function setCaller(request: object, caller: AdminCaller): void {
  (request as RequestWithCaller)[CALLER] = caller;
}

/** Returns the caller of a request that the guards have admitted. */
export function getCaller(request: object): AdminCaller {
  return (request as RequestWithCaller)[CALLER] ?? ADMITTED_BY_GUARDS;
}

/** Returns the name of the caller for the history: that of the user, else the one given at sign-in, else `token`. */
export function getCallerName(request: object): string {
  const { user } = request as RequestWithCaller;
  const { username, email, name, id, sub } = (typeof user === 'object' && user !== null ? user : {}) as Record<
    string,
    unknown
  >;
  const author = [username, email, name, id, sub].find(
    (value) => typeof value === 'string' || typeof value === 'number',
  );
  return author === undefined ? (getCaller(request).session?.name ?? 'token') : String(author);
}

/** A request whose sender is looked for. */
export interface AddressedRequest {
  headers: Record<string, string | undefined>;
  /** The address by the adapter's trust-proxy setting. */
  ip?: string;
}

/** The headers that proxies add; not every proxy tells the address of the client. */
const PROXY_HEADERS = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'forwarded', 'via', 'x-real-ip'];

/** Returns the address of the caller, and whether it is that of a proxy through which other clients come too. */
export function findCallerAddress({ ip, headers }: AddressedRequest): { address: string | null; isProxy: boolean } {
  const address = ip === undefined ? null : normalizeClientAddress(ip);
  const forwardedFor = headers['x-forwarded-for']?.split(',') ?? [];
  const isProxy =
    address !== null &&
    PROXY_HEADERS.some((name) => headers[name] !== undefined) &&
    !forwardedFor.some((entry) => normalizeClientAddress(entry.trim()) === address);
  return { address, isProxy };
}
