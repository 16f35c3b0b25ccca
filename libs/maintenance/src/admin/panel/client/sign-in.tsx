import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { PanelSession, PanelSignIn } from '../panel-state.js';
import { CONFIG, request, type Failure } from './api.js';
import { load } from './connection.js';
import { formatDuration } from './format.js';
import { updateModel, type Model } from './model.js';
import { Notice, Title } from './parts.js';

const REASONS: Partial<Record<Model['signedOut'], string>> = {
  over: 'Your session is over. Sign in again: what you typed is kept.',
  ended: 'You are signed out.',
  'ended-here':
    'You are signed out in this browser. The storage could not tell the other instances: they accept a copy of your cookie until it expires, within the hour.',
};

export function SignIn({ reason }: { reason: Model['signedOut'] }): JSX.Element {
  return (
    <div class="sign-in">
      <Title>Sign in</Title>
      {REASONS[reason] && <p>{REASONS[reason]}</p>}
      {CONFIG.signIn === 'guards' ? <GuardsHint /> : <TokenForm />}
    </div>
  );
}

function GuardsHint(): JSX.Element {
  return (
    <>
      <Notice tone="neutral" title="Your application asks you to sign in">
        <p>Guards of the application protect this panel. Sign in to the application in this browser, then try again.</p>
      </Notice>
      <button type="button" class="button primary" onClick={() => location.reload()}>
        Try again
      </button>
    </>
  );
}

function TokenForm(): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  const nameField = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState('');
  const [blockedUntil, setBlockedUntil] = useState(0);
  const [isBusy, setBusy] = useState(false);
  const wait = useCountdown(blockedUntil);

  async function signIn(event: Event): Promise<void> {
    event.preventDefault();
    const token = field.current!.value.trim();
    if (token === '') return fail('Enter the token.');
    setBusy(true);
    const name = nameField.current!.value.trim();
    const body: PanelSignIn = { token, ...(name && { name }) };
    const { failure } = await request<PanelSession>('POST', '/session', body);
    setBusy(false);
    if (!failure) {
      field.current!.value = '';
      updateModel({ signedOut: 'no', link: 'connecting' });
      return void load();
    }
    if (failure.kind === 'refused' && failure.status === 429) {
      setBlockedUntil(performance.now() + (failure.retryAfter ?? 60) * 1_000);
    }
    fail(describeFailure(failure));
  }

  function fail(text: string): void {
    setProblem(text);
    field.current?.select();
    field.current?.focus();
  }

  return (
    <form onSubmit={(event) => void signIn(event)} noValidate>
      <div class="field">
        <label for="token">Token</label>
        <input
          id="token"
          ref={field}
          type="password"
          autocomplete="current-password"
          autocapitalize="off"
          spellcheck={false}
          data-focus
          aria-describedby="token-hint token-problem"
          aria-invalid={problem !== ''}
        />
        <p class="hint" id="token-hint">
          The admin token of the application, or the token for viewers.
        </p>
        <p class="problem" id="token-problem" role="alert">
          {problem}
        </p>
      </div>
      <div class="field">
        <label for="operator">Your name (optional)</label>
        <input id="operator" ref={nameField} maxLength={64} autocomplete="username" aria-describedby="operator-hint" />
        <p class="hint" id="operator-hint">
          It is shown in the history.
        </p>
      </div>
      {wait > 0 ? (
        <p>Try again in {formatDuration(wait)}.</p>
      ) : (
        <button class="button primary" aria-disabled={isBusy}>
          {isBusy ? 'Signing in' : 'Sign in'}
        </button>
      )}
    </form>
  );
}

function describeFailure(failure: Failure): string {
  if (failure.kind === 'signed-out') return 'This token is wrong. Check that it is the token of this application.';
  if (failure.kind === 'offline') return 'The application can’t be reached. Check your connection.';
  if (failure.kind === 'conflict') return failure.conflict.message;
  if (failure.status === 429) return 'Too many tries with a wrong token. No token is accepted for a while.';
  if (failure.status >= 500) return `The application can’t sign you in now: ${failure.message}`;
  return failure.message;
}

function useCountdown(until: number): number {
  const [now, setNow] = useState(performance.now());
  useEffect(() => {
    if (until <= performance.now()) return;
    const timer = setInterval(() => setNow(performance.now()), 1_000);
    return () => clearInterval(timer);
  }, [until]);
  return Math.max(0, until - Math.max(now, performance.now()));
}
