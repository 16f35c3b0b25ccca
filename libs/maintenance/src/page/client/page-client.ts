/**
 * The script of the maintenance page: it shows the end in local time and a countdown, and opens the application again
 * when the window is over. `scripts/generate-page-assets.mjs` writes it into `page-assets.ts`. It is constant to the
 * byte, because the Content-Security-Policy has its hash; what differs from page to page it reads from attributes.
 *
 * The reader's clock decides nothing: the countdown starts from the seconds that the server counted, runs on the
 * monotonic clock, and is set right by the `Date` of each answer.
 */
(() => {
  // With the origin: a path that starts with two slashes would lead to another host.
  const here = location.origin + location.pathname + location.search;
  const status = document.querySelector('[role=status]')!;
  const { soon, changed: endChanged, opening, accepted } = document.querySelector('main')!.dataset;
  const locale = findLocale();
  let box = findBox(document)!;
  let code: number, isReadOnly: boolean, retryAfter: number, end: number;
  let left: number, since: number, span: number, slack: number;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isBusy = false;
  let misses = 0;
  let seen = Date.now();

  function findBox(page: Document): HTMLElement | null {
    return page.querySelector('[data-status][data-left]');
  }

  /** The reader's own variant of the page's language knows how the reader writes dates. */
  function findLocale(): string {
    const page = document.documentElement.lang || 'en';
    try {
      const { language, script } = new Intl.Locale(page).maximize();
      const isVariant = (tag: string): boolean => {
        const own = new Intl.Locale(tag).maximize();
        return own.language === language && own.script === script;
      };
      return navigator.languages.find(isVariant) ?? page;
    } catch {
      return page;
    }
  }

  // A screen reader would read the same text again.
  function announce(text = ''): void {
    if (status.textContent !== text) status.textContent = text;
  }

  function find(selector: string): Element | null {
    return box.querySelector(selector);
  }

  function getRemaining(): number {
    return left - (performance.now() - since) / 1000;
  }

  function startCountdown(seconds: number): void {
    left = seconds;
    since = performance.now();
  }

  function formatUnit(value: number, unit: string): string {
    return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(value);
  }

  function formatLeft(seconds: number): string | undefined {
    const minutes = Math.round(seconds / 60);
    const hours = Math.floor(minutes / 60);
    if (seconds < 1) return soon;
    if (seconds < 600) {
      const format = new Intl.NumberFormat(locale, { minimumIntegerDigits: 2 });
      return new Intl.NumberFormat(locale).format(Math.floor(seconds / 60)) + ':' + format.format(seconds % 60);
    }
    if (minutes < 90) return formatUnit(minutes, 'minute');
    if (hours > 47) return formatUnit(Math.round(hours / 24), 'day');
    const parts = [formatUnit(hours, 'hour')];
    if (minutes % 60) parts.push(formatUnit(minutes % 60, 'minute'));
    return new Intl.ListFormat(locale, { type: 'unit', style: 'short' }).format(parts);
  }

  function tick(): void {
    // A gap means that the machine slept, perhaps with its monotonic clock: ask the server.
    const now = Date.now();
    const gap = now - seen;
    seen = now;
    if (gap > 15_000) void poll();
    const seconds = Math.ceil(getRemaining());
    if (isNaN(seconds)) return;
    find('.left')!.removeAttribute('hidden');
    find('[role=timer]')!.textContent = formatLeft(seconds)!;
    // Never less than the page came with: an empty ring looks broken.
    const arc = Math.min(1, Math.max(0.125, 1 - seconds / span));
    find('.arc')?.setAttribute('stroke-dasharray', `${arc} 1`);
    if (isReadOnly && seconds < 1) announce(accepted);
  }

  function show(): void {
    const data = box.dataset;
    const time = find('time');
    code = +data.status!;
    // Reading is admitted all the time, so an answer says nothing about the end, and leaving would take the message
    // away.
    isReadOnly = data.mode === 'read-only';
    retryAfter = +data.retryAfter!;
    end = Date.parse(data.endsAt!);
    startCountdown(end ? parseFloat(data.left!) || (end - Date.now()) / 1000 : NaN);
    span = (end - Date.parse(data.startsAt!)) / 1000 || left;
    // Browsers with a short wait return after a short time; all others within ten seconds of the end.
    slack = Math.min(10, left / 4);
    if (time) {
      time.textContent = new Intl.DateTimeFormat(locale, {
        weekday: 'long',
        day: 'numeric',
        month: 'long',
        hour: 'numeric',
        minute: '2-digit',
        timeZoneName: 'short',
      }).format(end);
    }
    tick();
  }

  function plan(): void {
    if (isReadOnly) return;
    const rest = getRemaining();
    // Every half minute; sooner just after the end, and then less and less often.
    let wait = (rest <= 0 ? Math.min(30, Math.max(2, -rest)) : 30) * (0.5 + Math.random());
    if (rest > 0) wait = Math.min(wait, rest + slack * Math.random());
    clearTimeout(timer);
    timer = setTimeout(() => void poll(), wait * 1000);
  }

  function ask(method: 'GET' | 'HEAD'): Promise<Response> {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), method === 'GET' ? 30_000 : 10_000);
    const headers = { Accept: 'text/html' };
    return fetch(here, { method, headers, cache: 'no-store', redirect: 'manual', signal: abort.signal });
  }

  // The error of a proxy while the application restarts, or an error of the application, does not end the wait
  // either.
  function isRefused(answer: Response): boolean {
    return answer.status > 499 || answer.status === 429 || (code > 399 && answer.status === code);
  }

  async function poll(): Promise<void> {
    clearTimeout(timer);
    if (isBusy || isReadOnly || document.hidden) return;
    isBusy = true;
    try {
      if (await isOver()) return leave();
    } catch {
      // Offline or still waking up: the next poll may succeed.
    }
    isBusy = false;
    plan();
  }

  // A service worker, a proxy or a firewall may fail every HEAD: after two misses, GET is asked instead, until that
  // fails too. A page that comes with 200 tells nothing by its status.
  async function isOver(): Promise<boolean> {
    if (misses > 1 || code < 400) return renew();
    misses++;
    const answer = await ask('HEAD');
    const found = answer.status;
    if (found < 400) return true;
    if (found < 500 && found !== code && found !== 429) return renew();
    if (found === code || found === 429) misses = 0;
    return found === code && hasChanged(answer.headers) && renew();
  }

  function hasChanged(headers: Headers): boolean {
    const again = +headers.get('retry-after')!;
    const rest = (end - Date.parse(headers.get('date')!)) / 1000;
    if (Math.abs(rest - getRemaining()) > 2) startCountdown(rest);
    tick();
    // Retry-After is a fixed number or what is left of the window: neither means another window.
    return getRemaining() <= 0 || (again !== retryAfter && !(Math.abs(again - getRemaining()) < 5));
  }

  // Replaces the content by that of the page of now. Another page, such as that of a proxy, changes nothing.
  async function renew(): Promise<boolean> {
    const missed = misses;
    misses = 0;
    const answer = await ask('GET');
    if (code > 399 && !isRefused(answer)) return true;
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const fresh = findBox(page);
    const before = box.dataset.endsAt;
    if (!fresh) return !isRefused(answer);
    misses = missed;
    document.title = page.title;
    box.replaceWith(fresh);
    box = fresh;
    show();
    if (fresh.dataset.endsAt !== before) announce(endChanged);
    return false;
  }

  // Always a GET: a reload could send a form again. Keeps `isBusy` set, so that nothing asks again while the page
  // loads.
  function leave(): void {
    announce(opening);
    const { hash } = location;
    // To the same address with a fragment the browser would only scroll: step aside first.
    if (hash) history.replaceState(null, '', here + (location.search ? '&' : '?'));
    location.replace(here + hash);
  }

  show();
  plan();
  setInterval(tick, 1000);
  document.addEventListener('visibilitychange', () => {
    tick();
    void poll();
  });
  addEventListener('online', () => void poll());
  addEventListener('pageshow', (event) => {
    if (event.persisted) void poll();
  });
})();
