import type { PublicStatus } from '../core/public-status.js';

/** The members of a browser that Node does not have. */
interface BrowserGlobals {
  document?: EventTarget & { hidden: boolean };
  navigator?: { onLine?: boolean };
  addEventListener?: EventTarget['addEventListener'];
  removeEventListener?: EventTarget['removeEventListener'];
}

/** A stream that has sent nothing by then is held back by a proxy. */
const FIRST_EVENT_TIMEOUT_MS = 10_000;
/** The server sends something every 15 s: a connection that is silent for longer is dead. */
const SILENCE_TIMEOUT_MS = 45_000;
const POLL_INTERVAL_MS = 20_000;
/** The delay before a stream is opened again, and after the first failure. All delays vary by half. */
const MIN_DELAY_MS = 3_000;
const MAX_DELAY_MS = 60_000;
/** How often the status is polled where no stream comes through, before another stream is tried. */
const POLLS_WITHOUT_STREAM = 10;

const EVENT_STREAM = 'text/event-stream';

/**
 * Follows the public status of an application: by a stream, or by polling where no stream comes through. It never gives
 * up, waits longer after each failure, and pauses while the browser is offline or the page is hidden.
 *
 * @param url - the URL of the status, such as `/maintenance-status` or
 *   `https://api.example/maintenance-status?scope=payments`
 * @param listener - called with the first status, and with each that differs from the one before
 * @returns a function that stops it
 *
 * @example
 * ```ts
 * const stop = watchMaintenance('https://api.example/maintenance-status', ({ active, message }) => {
 *   banner.hidden = !active;
 *   banner.textContent = message ?? 'We will be back soon.';
 * });
 * ```
 */
export function watchMaintenance(url: string | URL, listener: (status: PublicStatus) => void): () => void {
  const browser = globalThis as BrowserGlobals;
  const { document } = browser;
  const address = String(url);
  let controller: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout>;
  let isStopped = false;
  let known: string;
  let failures = 0;
  let pollsLeft = 0;

  const setTimer = (callback: () => void, delay: number): void => {
    clearTimeout(timer);
    timer = setTimeout(callback, delay);
  };
  const request = async (from: string, accept: string, signal: AbortSignal): Promise<Response> => {
    const response = await fetch(from, { headers: { accept }, signal });
    if (response.ok && response.headers.get('content-type')?.startsWith(accept)) return response;
    throw new Error();
  };
  const report = (text: string): void => {
    const status = JSON.parse(text) as PublicStatus;
    if (typeof status.active !== 'boolean') throw new Error();
    if (text === known) return;
    known = text;
    // An error of the listener must not count as a failure of the connection.
    queueMicrotask(() => isStopped || listener(status));
  };
  const connect = async (): Promise<void> => {
    const current = (controller = new AbortController());
    const { signal } = current;
    const abort = (): void => current.abort();
    const isPoll = pollsLeft > 0;
    let hasEvents = false;
    let delay = 0;
    setTimer(abort, FIRST_EVENT_TIMEOUT_MS);
    try {
      if (isPoll) {
        pollsLeft--;
        report(await (await request(address, 'application/json', signal)).text());
        // The server is back, so a stream may come through.
        if (failures) pollsLeft = 0;
        delay = failures ? MIN_DELAY_MS : POLL_INTERVAL_MS;
        failures = 0;
      } else {
        const { body } = await request(address.replace(/\/?(?=[?#]|$)/, '/events'), EVENT_STREAM, signal);
        const reader = body!.pipeThrough(new TextDecoderStream()).getReader();
        let text = '';
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          setTimer(abort, SILENCE_TIMEOUT_MS);
          const events = (text + value).split('\n\n');
          text = events.pop()!;
          for (const event of events) {
            const data = /^data: (.+)/m.exec(event);
            if (!data) continue;
            report(data[1]!);
            hasEvents = true;
          }
        }
      }
    } catch {
      if (isPoll) delay = Math.min(MIN_DELAY_MS * 2 ** failures++, MAX_DELAY_MS);
    }
    // It was paused or stopped meanwhile.
    if (current !== controller) return;
    if (hasEvents) delay = MIN_DELAY_MS;
    else if (!isPoll) pollsLeft = POLLS_WITHOUT_STREAM;
    setTimer(() => void connect(), delay * (0.5 + Math.random()));
  };
  const update = (): void => {
    clearTimeout(timer);
    controller?.abort();
    controller = undefined;
    failures = pollsLeft = 0;
    if (!isStopped && !document?.hidden && browser.navigator?.onLine !== false) void connect();
  };
  const listen = (method: 'addEventListener' | 'removeEventListener'): void => {
    browser[method]?.('online', update);
    browser[method]?.('offline', update);
    document?.[method]('visibilitychange', update);
  };
  listen('addEventListener');
  update();
  return () => {
    isStopped = true;
    listen('removeEventListener');
    update();
  };
}
