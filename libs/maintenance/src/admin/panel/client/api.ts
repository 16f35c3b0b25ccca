import type { PanelConfig, PanelConflict } from '../panel-state.js';

/** Why a request failed. */
export type Failure =
  | { kind: 'conflict'; conflict: PanelConflict }
  /** The session is over, or guards of the application refuse. */
  | { kind: 'signed-out' }
  | { kind: 'offline' }
  | { kind: 'refused'; status: number; message: string; retryAfter: number | null };

export type Result<T> = { value: T; failure?: undefined } | { value?: undefined; failure: Failure };

/** The configuration in the document. */
export const CONFIG = JSON.parse(document.getElementById('panel-config')!.textContent) as PanelConfig;

/** The path of the admin endpoints as the browser sees it, also behind a proxy that adds a prefix. */
export const BASE = new URL(CONFIG.base, location.href).pathname.replace(/\/$/, '');

const TIMEOUT_MS = 20_000;

/** Calls an endpoint. Never throws. */
export async function request<T>(
  method: 'GET' | 'POST',
  path: string,
  body?: object,
  signal?: AbortSignal,
): Promise<Result<T>> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const response = await fetch(BASE + path, {
      method,
      credentials: 'same-origin',
      cache: 'no-store',
      // A guard may redirect to a page for signing in.
      redirect: 'manual',
      headers: { Accept: 'application/json', ...(body && { 'Content-Type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    return await toResult<T>(response);
  } catch {
    return { failure: { kind: 'offline' } };
  }
}

async function toResult<T>(response: Response): Promise<Result<T>> {
  if (response.type === 'opaqueredirect' || response.status === 401) return { failure: { kind: 'signed-out' } };
  const answer = (await response.json().catch(() => null)) as Record<string, unknown> | null;
  if (response.ok && answer !== null) return { value: answer as T };
  if (response.status === 204) return { value: {} as T };
  if (answer?.code === 'conflict')
    return { failure: { kind: 'conflict', conflict: answer as unknown as PanelConflict } };
  const { message } = answer ?? {};
  const text = Array.isArray(message) ? message.join(' ') : message;
  const retryAfter = Number(response.headers.get('Retry-After')) || null;
  return {
    failure: {
      kind: 'refused',
      status: response.status,
      message: typeof text === 'string' ? text : 'The answer is not that of the maintenance module.',
      retryAfter,
    },
  };
}
