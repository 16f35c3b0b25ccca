import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { announce } from './announcements.js';
import { countStates, describePending } from './fleet.js';
import { describeScopes } from './format.js';
import { Instances } from './instances-screen.js';
import { updateModel, useModel } from './model.js';
import { LinkButton, Notice, Title } from './parts.js';

/** Whether every instance applies the state and has finished its calls from before. Needs only the live state. */
export function DrainScreen(): JSX.Element {
  const { state, bypassLink } = useModel();
  const { status, fleet } = state!;
  if (!status.active) {
    return (
      <>
        <Title>Nothing to drain</Title>
        <p>Maintenance is off.</p>
        <LinkButton to="now">Back</LinkButton>
      </>
    );
  }
  const isKnown = fleet.error === undefined && fleet.instances.length > 0 && fleet.drain !== null;
  const drained = fleet.drain?.drained === true;
  const kind = isKnown && drained ? 'off' : 'on';
  return (
    <>
      {bypassLink && <BypassLink link={bypassLink} />}
      <section class={`headline ${kind}`}>
        <p class="state" aria-hidden="true">
          {isKnown && drained ? '✓ Drained' : '… Draining'}
        </p>
        <Title>{!isKnown ? 'The drain is unknown' : drained ? 'Drained' : 'Draining'}</Title>
        <p class="lead">
          {!isKnown
            ? 'Without reports of the instances, this can’t tell whether calls are in flight.'
            : drained
              ? `Every instance applies the window on ${describeScopes(status)}, and the calls from before have finished.`
              : `Waiting for ${describePending(state!)}.`}{' '}
          {isKnown && countStates(state!)}
        </p>
        <p class="actions">
          <LinkButton to="now" kind={isKnown && drained ? 'primary' : ''}>
            To the state now
          </LinkButton>
        </p>
      </section>
      <Instances />
    </>
  );
}

function BypassLink({ link }: { link: string }): JSX.Element {
  const [isCopied, setCopied] = useState(false);
  const copy = (): void =>
    void navigator.clipboard?.writeText(link).then(() => {
      setCopied(true);
      announce('Copied.');
    });
  return (
    <Notice tone="neutral" title="Bypass link: shown only now">
      <p>Browsers that open it are admitted while this window is on. Only its hash is stored, so copy it.</p>
      <p>
        <code class="secret">{link}</code>
      </p>
      <p class="actions">
        {navigator.clipboard && (
          <button type="button" class="button" onClick={copy}>
            {isCopied ? 'Copied' : 'Copy'}
          </button>
        )}
        <button type="button" class="button" onClick={() => updateModel({ bypassLink: null })}>
          I have it: hide it
        </button>
      </p>
    </Notice>
  );
}
