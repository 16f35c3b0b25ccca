import { compact } from './compact.js';

/**
 * The script of the built-in page: it shows the end in local time and a countdown, and reloads when the window is
 * over. Constant to the byte, like the style; it reads `data-` attributes.
 *
 * The reader's clock decides nothing: the countdown starts from the seconds that the server counted, runs on the
 * monotonic clock, and is set right by the `Date` of each answer.
 */
export const PAGE_SCRIPT = compact(`
  (() => {
    // With the origin: a path that starts with two slashes would lead to another host.
    const here = location.origin + location.pathname + location.search;
    const status = document.querySelector('[role=status]');
    let box, code, reading, retry, end, left, since, span, slack, next, busy, misses = 0, seen = Date.now();

    // A screen reader would read the same text again.
    const say = text => { if (status.textContent !== text) status.textContent = text; };
    const find = selector => box.querySelector(selector);
    const remaining = () => left - (performance.now() - since) / 1000;
    const count = seconds => { left = seconds; since = performance.now(); };

    function words(s) {
      const min = Math.round(s / 60), h = Math.floor(min / 60);
      if (s < 1) return 'any moment now';
      if (s < 600) return Math.floor(s / 60) + ':' + String(s % 60).padStart(2, '0');
      if (min < 90) return 'about ' + min + ' min';
      if (h > 47) return 'about ' + Math.round(h / 24) + ' days';
      return 'about ' + h + ' h' + (min % 60 ? ' ' + min % 60 + ' min' : '');
    }

    function tick() {
      // A gap means that the machine slept, perhaps with its monotonic clock: ask the server.
      const now = Date.now(), gap = now - seen;
      seen = now;
      if (gap > 15000) poll();
      const s = Math.ceil(remaining());
      if (isNaN(s)) return;
      find('.left').hidden = false;
      find('[role=timer]').textContent = words(s);
      // Never less than the page came with: an empty ring looks broken.
      find('.arc').setAttribute('stroke-dasharray', Math.min(1, Math.max(.125, 1 - s / span)) + ' 1');
      if (reading && s < 1) say('Changes should be accepted again by now.');
    }

    function show() {
      box = document.querySelector('[data-status]');
      const data = box.dataset, time = find('time');
      code = +data.status;
      // Reading is admitted all the time, so an answer says nothing about the end, and leaving would take the message
      // away.
      reading = data.mode === 'read-only';
      retry = +data.retryAfter;
      end = Date.parse(data.endsAt);
      count(end ? parseFloat(data.left) || (end - Date.now()) / 1000 : NaN);
      span = (end - Date.parse(data.startsAt)) / 1000 || left;
      // Browsers with a short wait return after a short time; all others within ten seconds of the end.
      slack = Math.min(10, left / 4);
      if (time) {
        const format = new Intl.DateTimeFormat([], {
          weekday: 'long', day: 'numeric', month: 'long', hour: 'numeric', minute: '2-digit', timeZoneName: 'short'
        });
        time.lang = format.resolvedOptions().locale;
        time.textContent = format.format(end);
      }
      tick();
    }

    function plan() {
      if (reading) return;
      const rest = remaining();
      // Every half minute; sooner just after the end, and then less and less often.
      let wait = (rest <= 0 ? Math.min(30, Math.max(2, -rest)) : 30) * (.5 + Math.random());
      if (rest > 0) wait = Math.min(wait, rest + slack * Math.random());
      clearTimeout(next);
      next = setTimeout(poll, wait * 1000);
    }

    function ask(method) {
      const abort = new AbortController();
      setTimeout(() => abort.abort(), method === 'GET' ? 30000 : 10000);
      const headers = { Accept: 'text/html' };
      return fetch(here, { method, headers, cache: 'no-store', redirect: 'manual', signal: abort.signal });
    }

    // The error of a proxy while the application restarts, or an error of the application, does not end the wait
    // either.
    const refuses = answer => answer.status > 499 || answer.status === 429 || code > 399 && answer.status === code;

    async function poll() {
      clearTimeout(next);
      if (busy || reading || document.hidden) return;
      busy = true;
      try {
        if (await isOver()) return leave();
      } catch (e) {
        // Offline or still waking up: the next poll may succeed.
      }
      busy = false;
      plan();
    }

    // A service worker, a proxy or a firewall may fail every HEAD: after two misses, GET is asked instead, until that
    // fails too.
    // A page that comes with 200 tells nothing by its status.
    async function isOver() {
      if (misses > 1 || code < 400) return renew();
      misses++;
      const answer = await ask('HEAD'), s = answer.status;
      if (s < 400) return true;
      if (s < 500 && s !== code && s !== 429) return renew();
      if (s === code || s === 429) misses = 0;
      return s === code && changed(answer.headers) && renew();
    }

    function changed(headers) {
      const again = +headers.get('retry-after'), rest = (end - Date.parse(headers.get('date'))) / 1000;
      if (Math.abs(rest - remaining()) > 2) count(rest);
      tick();
      // Retry-After is a fixed number or what is left of the window: neither means another window.
      return remaining() <= 0 || again !== retry && !(Math.abs(again - remaining()) < 5);
    }

    // Replaces the content by that of the page of now. Another page, such as that of a proxy, changes nothing.
    async function renew() {
      const missed = misses;
      misses = 0;
      const answer = await ask('GET');
      if (code > 399 && !refuses(answer)) return true;
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      const fresh = page.querySelector('[data-status][data-left]'), before = box.dataset.endsAt;
      if (!fresh) return !refuses(answer);
      misses = missed;
      document.title = page.title;
      box.replaceWith(fresh);
      show();
      if (fresh.dataset.endsAt !== before) say('The expected end has changed.');
    }

    // Always a GET: a reload could send a form again. Keeps "busy" set, so that nothing asks again while the page
    // loads.
    function leave() {
      say('Opening the page.');
      const hash = location.hash;
      // To the same address with a fragment the browser would only scroll: step aside first.
      if (hash) history.replaceState(null, '', here + (location.search ? '&' : '?'));
      location.replace(here + hash);
    }

    show();
    plan();
    setInterval(tick, 1000);
    document.addEventListener('visibilitychange', () => { tick(); poll(); });
    addEventListener('online', poll);
    addEventListener('pageshow', event => { if (event.persisted) poll(); });
  })();
`);
