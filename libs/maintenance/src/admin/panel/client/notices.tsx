import type { JSX } from 'preact';
import type { PanelState } from '../panel-state.js';
import { formatMoment } from './format.js';
import { isForced, useModel, useNow, type Model } from './model.js';
import { Moment, Notice } from './parts.js';

/** When the session ends within this time, the panel tells. */
const SESSION_WARNING_MS = 5 * 60_000;

/** The sentences about states in which something does not work as usual. */
export function Notices(): JSX.Element {
  const model = useModel();
  const { state } = model;
  return (
    <div class="notices">
      <LinkNotice {...model} />
      {state && <ForcedNotice {...state} />}
      {state && <StorageNotice {...state} />}
      {state && <UnknownScopeNotice {...state} />}
      {state && <AccessNotice {...state} />}
    </div>
  );
}

function LinkNotice({ link, error, state, receivedAt }: Model): JSX.Element | null {
  const now = useNow();
  if (link === 'offline') {
    const since = now - (performance.now() - receivedAt);
    return (
      <Notice tone="bad" title="No connection to the application">
        <p>
          {state ? `You see the state of ${formatMoment(since, now)}. ` : ''}Nothing can be changed now. The panel keeps
          trying, and what you typed is kept.
        </p>
      </Notice>
    );
  }
  if (error === null) return null;
  return (
    <Notice tone="bad" title="The application could not answer">
      <p>{error}</p>
    </Notice>
  );
}

function ForcedNotice(state: PanelState): JSX.Element | null {
  if (!isForced(state)) return null;
  const { forcedBy, status } = state;
  return (
    <Notice tone="busy" title={`Forced ${status.active ? 'on' : 'off'} by configuration`}>
      <p>
        {forcedBy ?? 'The option enabled'} decides on {state.application.host}, whatever is stored. To turn maintenance
        on or off here, remove that setting and restart the application.
      </p>
    </Notice>
  );
}

const FALLBACKS = {
  on: 'every call is refused (onStorageFailure is “on”)',
  off: 'every call is admitted (onStorageFailure is “off”)',
  'last-known': 'nothing is known yet, so every call is admitted (onStorageFailure is “last-known”)',
};

function StorageNotice({ status, storageErrorCode, onStorageFailure }: PanelState): JSX.Element | null {
  const { storage, source } = status;
  if (storage.healthy) return null;
  const isReplaceable = storageErrorCode === 'corrupt' || storageErrorCode === 'lost';
  const title = {
    corrupt: 'The stored state is corrupt',
    lost: 'The stored state was lost',
    denied: 'The storage refuses access',
    unavailable: 'The storage can’t be reached',
    conflict: 'The storage can’t be reached',
  }[storageErrorCode ?? 'unavailable'];
  return (
    <Notice tone="bad" title={title}>
      <p>
        {source === 'fallback' && <>Until it can be read, {FALLBACKS[onStorageFailure]}. </>}
        {source === 'last-known' && <>The last known state applies. </>}
        {storage.lastReadAt && (
          <>
            Last read <Moment at={storage.lastReadAt} />.{' '}
          </>
        )}
        {isReplaceable
          ? 'Turning maintenance on or off writes a new state in its place.'
          : 'Nothing can be stored now, so nothing can be turned on or off here.'}
      </p>
      {storage.error && <p class="detail">{storage.error}</p>}
    </Notice>
  );
}

function UnknownScopeNotice({ status, scopes }: PanelState): JSX.Element | null {
  const { active, planned } = status.windows;
  const unknown = new Set(
    [...active, ...planned].map(({ scope }) => scope).filter((scope) => isUnknown(scope, scopes)),
  );
  if (unknown.size === 0) return null;
  const names = [...unknown].join(', ');
  return (
    <Notice tone="busy" title={`No handler has the scope ${names}`}>
      <p>
        A window of {names} refuses nothing, unless the application gives this scope to requests with{' '}
        <code>scopesOf</code>.
      </p>
    </Notice>
  );
}

export function isUnknown(scope: string, scopes: string[]): boolean {
  return scope !== '*' && !scopes.includes(scope);
}

function AccessNotice({ access, sessionEndsAt }: PanelState): JSX.Element | null {
  const now = useNow();
  const endsSoon = sessionEndsAt !== null && Date.parse(sessionEndsAt) - now < SESSION_WARNING_MS;
  return (
    <>
      {access === 'view' && (
        <Notice tone="neutral" title="You may look, but not change">
          <p>You are signed in with the token for viewers. To change something, sign in with the admin token.</p>
        </Notice>
      )}
      {endsSoon && (
        <Notice tone="busy" title="Your session ends soon">
          <p>
            It ends <Moment at={sessionEndsAt} />. What you type is kept while you sign in again.
          </p>
        </Notice>
      )}
    </>
  );
}
