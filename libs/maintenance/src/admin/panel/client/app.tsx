import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { PanelSignOut } from '../panel-state.js';
import { request } from './api.js';
import { handleFailure, signOut } from './connection.js';
import { DrainScreen } from './drain-screen.js';
import { formatTime, IS_UTC, ZONE } from './format.js';
import { HistoryScreen } from './history-screen.js';
import { InstancesScreen } from './instances-screen.js';
import { useModel, useNow, type Link } from './model.js';
import { Notices } from './notices.js';
import { NowScreen } from './now-screen.js';
import { OffScreen } from './off-screen.js';
import { Badge, Title } from './parts.js';
import { CancelScreen } from './cancel-screen.js';
import { PlanScreen } from './plan-screen.js';
import { useRoute } from './router.js';
import { SignIn } from './sign-in.js';
import { WindowScreen } from './window-screen.js';

const NAVIGATION = { now: 'Now', plan: 'Plan', instances: 'Instances', history: 'History' };

export function App(): JSX.Element {
  const route = useRoute();
  const { state, signedOut } = useModel();
  const isSignedOut = signedOut !== 'no';
  const screen = isSignedOut ? 'sign-in' : state ? route.join('/') : 'loading';
  useFocus(screen);
  return (
    <>
      <a class="skip" href="#title" onClick={skipToTitle}>
        Skip to the content
      </a>
      <Header />
      <main>
        {!isSignedOut && <Notices />}
        {isSignedOut ? <SignIn reason={signedOut} /> : state ? <Screen key={screen} route={route} /> : <Loading />}
      </main>
      <Footer />
      <div id="announcements" class="sr" role="status" />
    </>
  );
}

function Screen({ route }: { route: string[] }): JSX.Element {
  const [name, id, step] = route;
  if (name === 'on') return <WindowScreen kind="on" isReview={id === 'review'} />;
  if (name === 'off') return <OffScreen id={id} />;
  if (name === 'drain') return <DrainScreen />;
  if (name === 'plan' && id === 'new') return <WindowScreen kind="plan" isReview={step === 'review'} />;
  if (name === 'plan' && id !== undefined && step === 'cancel') return <CancelScreen id={id} />;
  if (name === 'plan') return <PlanScreen />;
  if (name === 'instances') return <InstancesScreen />;
  if (name === 'history') return <HistoryScreen />;
  return <NowScreen />;
}

function Loading(): JSX.Element {
  return (
    <>
      <Title>Maintenance</Title>
      <p>Loading the state of the application.</p>
    </>
  );
}

/** Moves the focus to the heading when the screen changes, and names the screen in the title of the document. */
function useFocus(screen: string): void {
  const shown = useRef(screen);
  const name = useModel().state?.application.name;
  useLayoutEffect(() => {
    const title = document.getElementById('title')?.textContent;
    document.title = [title, name].filter(Boolean).join(' – ');
  });
  useLayoutEffect(() => {
    const title = document.getElementById('title');
    if (shown.current === screen) return;
    // The first screen after the start leaves the focus to the browser.
    const isFirst = shown.current === 'loading' && screen !== 'sign-in';
    shown.current = screen;
    if (isFirst) return;
    scrollTo(0, 0);
    (document.querySelector<HTMLElement>('main [data-focus]') ?? title)?.focus();
  }, [screen]);
}

function skipToTitle(event: Event): void {
  event.preventDefault();
  document.getElementById('title')?.focus();
}

function Header(): JSX.Element {
  const route = useRoute();
  const { state, signedOut, link } = useModel();
  const { name, version, environment } = state?.application ?? {};
  return (
    <header>
      <div class="brand">
        <p>
          <strong>{name ?? 'Maintenance'}</strong>
          {version && <span class="soft"> {version}</span>}
          {environment && <span class="tag">{environment}</span>}
        </p>
        {signedOut === 'no' && state && (
          <p class="session">
            <LinkBadge link={link} />
            {state.operator !== 'token' && <span class="soft">{state.operator}</span>}
            {state.sessionEndsAt && (
              <button type="button" class="plain" onClick={() => void endSession()}>
                Sign out
              </button>
            )}
          </p>
        )}
      </div>
      {signedOut === 'no' && (
        <nav aria-label="Screens">
          {Object.entries(NAVIGATION).map(([to, label]) => (
            <a key={to} href={`#${to}`} aria-current={route[0] === to ? 'page' : undefined}>
              {label}
            </a>
          ))}
        </nav>
      )}
    </header>
  );
}

function LinkBadge({ link }: { link: Link }): JSX.Element {
  if (link === 'live') return <Badge tone="good">Live</Badge>;
  if (link === 'offline') return <Badge tone="bad">Offline</Badge>;
  return <Badge tone="busy">{link === 'polling' ? 'Every 3 s' : 'Connecting'}</Badge>;
}

async function endSession(): Promise<void> {
  const { value, failure } = await request<PanelSignOut>('POST', '/session/end');
  if (failure && failure.kind !== 'signed-out') handleFailure(failure);
  else signOut(value?.everywhere === false ? 'ended-here' : 'ended');
}

function Footer(): JSX.Element {
  const now = useNow();
  const { state } = useModel();
  return (
    <footer>
      {state && (
        <p>
          Time of the server: {IS_UTC ? '' : `${formatTime(now, now)} in ${ZONE}, `}
          {formatTime(now, now, 'UTC')} UTC
        </p>
      )}
    </footer>
  );
}
