import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { getEnd, ALL_SCOPES, type StoredWindow, type WindowBypass } from '../core/maintenance-window.js';
import { loadCookie } from '../packages.cjs';
import type { Clock } from '../utils/clock.js';
import type { PolicyRequest } from './request-path.js';

/** The header in which programs send the bypass token. */
export const BYPASS_HEADER = 'x-maintenance-bypass';
/** The query parameter in which a bypass link has the token. */
export const BYPASS_PARAMETER = 'maintenance_bypass';

/** A bypass cookie is valid for twelve hours at most. */
const MAX_COOKIE_AGE_MS = 12 * 3_600_000;
const COOKIE_FORMAT = 'v1';
/** Signed with every cookie, so that no other text signed with the window's key is a valid cookie. */
const SIGNATURE_PURPOSE = 'nestjs-maintenance bypass';

/** A new bypass of a window. */
export interface NewBypass {
  /** The bypass token, of 256 bits. It is shown once and not stored. */
  token: string;
  stored: WindowBypass;
}

/** A cookie for a browser that has sent the token. */
export interface BypassCookie {
  value: string;
  /** Milliseconds for which it is valid. */
  maxAgeMs: number;
}

export function createBypass(): NewBypass {
  const token = randomBytes(32).toString('base64url');
  const stored = { hash: hashToken(token).toString('base64url'), key: randomBytes(32).toString('base64url') };
  return { token, stored };
}

/** Returns the window of a bypass token, or `null`. Every window is compared, in constant time. */
export function findWindowByToken(token: string, windows: readonly StoredWindow[]): StoredWindow | null {
  const hash = hashToken(token);
  let found: StoredWindow | null = null;
  for (const window of windows) {
    if (window.bypass && isEqual(hash, Buffer.from(window.bypass.hash, 'base64url'))) found = window;
  }
  return found;
}

/** Creates the bypass cookie of a window. It expires with the window, or before. */
export function createBypassCookie({ id, bypass, ...window }: StoredWindow, now: number): BypassCookie {
  const expiry = Math.min(now + MAX_COOKIE_AGE_MS, getEnd({ id, ...window }));
  const fields = [COOKIE_FORMAT, Buffer.from(id).toString('base64url'), String(now), String(expiry)];
  return { value: [...fields, sign(fields, bypass!.key)].join('.'), maxAgeMs: expiry - now };
}

/**
 * Whether a request has the bypass token or cookie of each covering window, or of a broader window.
 *
 * @param active - all windows that are active, with their secrets
 * @param covering - those that cover the request
 */
export function isBypassed(
  { headers }: Pick<PolicyRequest, 'headers'>,
  active: readonly StoredWindow[],
  covering: readonly StoredWindow[],
  cookieName: string,
  clock: Pick<Clock, 'now'>,
): boolean {
  if (!headers || !active.some(({ bypass }) => bypass)) return false;
  const bypassed = [findWindowByHeader(headers, active), findWindowByCookie(headers, active, cookieName, clock)];
  return (
    covering.length > 0 &&
    covering.every((window) => bypassed.some((found) => found !== null && bypassCovers(found, window)))
  );
}

// The token of one scope, or of a read-only window, admits to no other scope and to no full window.
function bypassCovers(bypassed: StoredWindow, window: StoredWindow): boolean {
  if (bypassed === window) return true;
  const isBroader = bypassed.scope === ALL_SCOPES || bypassed.scope === window.scope;
  return isBroader && (bypassed.mode === 'full' || window.mode === 'read-only');
}

function findWindowByHeader(headers: Headers, active: readonly StoredWindow[]): StoredWindow | null {
  const token = headers[BYPASS_HEADER];
  return typeof token === 'string' && token !== '' ? findWindowByToken(token, active) : null;
}

function findWindowByCookie(
  { cookie }: Headers,
  active: readonly StoredWindow[],
  name: string,
  clock: Pick<Clock, 'now'>,
): StoredWindow | null {
  const value = typeof cookie === 'string' ? loadCookie().parse(cookie)[name] : undefined;
  const [format, id, issued, expiry, signature, ...rest] = value?.split('.') ?? [];
  if (format !== COOKIE_FORMAT || !id || !issued || !expiry || !signature || rest.length > 0) return null;
  const window = active.find((candidate) => Buffer.from(candidate.id).toString('base64url') === id);
  if (!window?.bypass) return null;
  const expected = sign([format, id, issued, expiry], window.bypass.key);
  if (!isEqual(Buffer.from(signature), Buffer.from(expected))) return null;
  const now = clock.now();
  return Number(issued) <= now + MAX_CLOCK_SKEW_MS && now < Number(expiry) ? window : null;
}

/** How far the clocks of instances may differ. */
const MAX_CLOCK_SKEW_MS = 60_000;

type Headers = NonNullable<PolicyRequest['headers']>;

function sign(fields: readonly string[], key: string): string {
  return createHmac('sha256', Buffer.from(key, 'base64url'))
    .update(JSON.stringify([SIGNATURE_PURPOSE, ...fields]))
    .digest('base64url');
}

function hashToken(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function isEqual(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
