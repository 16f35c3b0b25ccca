import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { parse } from 'cookie';
import { getEnd, ALL_SCOPES, type StoredWindow, type WindowBypass } from '../core/maintenance-window.js';
import type { PolicyRequest } from './request-path.js';

/** The header with which programs send the token itself. */
export const BYPASS_HEADER = 'x-maintenance-bypass';
/** The parameter of the link with which browsers redeem it. */
export const BYPASS_PARAMETER = 'maintenance_bypass';

/** A pass holds for twelve hours at most, in milliseconds. */
const MAX_COOKIE_AGE_MS = 12 * 3_600_000;
const COOKIE_FORMAT = 'v1';
/** What else is signed with a window's key must not pass for a pass. */
const SIGNATURE_PURPOSE = 'nestjs-maintenance bypass';

/** A key to a window that is new. */
export interface NewBypass {
  /** The secret, of 256 bits; shown once and not kept. */
  token: string;
  stored: WindowBypass;
}

/** A cookie that was made for somebody who has the token. */
export interface BypassCookie {
  value: string;
  /** Milliseconds for which it holds. */
  maxAgeMs: number;
}

export function createBypass(): NewBypass {
  const token = randomBytes(32).toString('base64url');
  const stored = { hash: hashToken(token).toString('base64url'), key: randomBytes(32).toString('base64url') };
  return { token, stored };
}

/** The window to which the token is the key; `null` if there is none. Each is compared, in constant time. */
export function findWindowByToken(token: string, windows: readonly StoredWindow[]): StoredWindow | null {
  const given = hashToken(token);
  let found: StoredWindow | null = null;
  for (const window of windows) {
    if (window.bypass && isEqual(given, Buffer.from(window.bypass.hash, 'base64url'))) found = window;
  }
  return found;
}

/** The pass of somebody who has the token of the window: it ends with the window, or before. */
export function createBypassCookie({ id, bypass, ...window }: StoredWindow, now: number): BypassCookie {
  const expiry = Math.min(now + MAX_COOKIE_AGE_MS, getEnd({ id, ...window }));
  const fields = [COOKIE_FORMAT, Buffer.from(id).toString('base64url'), String(now), String(expiry)];
  return { value: [...fields, sign(fields, bypass!.key)].join('.'), maxAgeMs: expiry - now };
}

/**
 * Whether a request carries a key to one of the windows, or to one around it: the key of everything opens every part.
 *
 * @param active - all windows that are active, with their secrets
 * @param covering - those that cover the request
 */
export function isBypassed(
  { headers }: Pick<PolicyRequest, 'headers'>,
  active: readonly StoredWindow[],
  covering: readonly StoredWindow[],
  cookieName: string,
  now: number,
): boolean {
  if (!headers || !active.some(({ bypass }) => bypass)) return false;
  const opened = [findWindowByHeader(headers, active), findWindowByCookie(headers, active, cookieName, now)];
  return (
    covering.length > 0 && covering.every((window) => opened.some((key) => key !== null && bypassCovers(key, window)))
  );
}

// Whoever was let into a part, or past a read-only window, was not let into more than that.
function bypassCovers(key: StoredWindow, window: StoredWindow): boolean {
  if (key === window) return true;
  const isAround = key.scope === ALL_SCOPES || key.scope === window.scope;
  return isAround && (key.mode === 'full' || window.mode === 'read-only');
}

function findWindowByHeader(headers: Headers, active: readonly StoredWindow[]): StoredWindow | null {
  const token = headers[BYPASS_HEADER];
  return typeof token === 'string' && token !== '' ? findWindowByToken(token, active) : null;
}

function findWindowByCookie(
  { cookie }: Headers,
  active: readonly StoredWindow[],
  name: string,
  now: number,
): StoredWindow | null {
  const value = typeof cookie === 'string' ? parse(cookie)[name] : undefined;
  const [format, id, issued, expiry, signature, ...rest] = value?.split('.') ?? [];
  if (format !== COOKIE_FORMAT || !id || !issued || !expiry || !signature || rest.length > 0) return null;
  const window = active.find((candidate) => Buffer.from(candidate.id).toString('base64url') === id);
  if (!window?.bypass) return null;
  const expected = sign([format, id, issued, expiry], window.bypass.key);
  if (!isEqual(Buffer.from(signature), Buffer.from(expected))) return null;
  return Number(issued) <= now + MAX_CLOCK_SKEW_MS && now < Number(expiry) ? window : null;
}

/** Instances' clocks may differ by this, in milliseconds. */
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
