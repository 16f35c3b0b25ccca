import type { JSX } from 'preact';
import type { MaintenanceWindow } from '../../../core/maintenance-window.js';
import type { PanelPreview } from '../panel-state.js';
import { formatMode, formatMoment, formatScope, formatTarget } from './format.js';
import { getServerNow, updateModel, useModel, useNow } from './model.js';
import { isUnknown } from './notices.js';
import { PagePreview } from './page-preview.js';
import { Fact, Facts, Moment, Notice, Title } from './parts.js';
import { describeRecurrence } from './recurrence-words.js';
import { navigate } from './router.js';
import { useWrite } from './use-write.js';
import {
  createBody,
  createDraft,
  getCron,
  getDraftEnd,
  getDraftStart,
  setDraft,
  type WindowDraft,
} from './window-draft.js';
import { Occurrences, WindowLines } from './window-lines.js';
import { WriteForm } from './write-form.js';

interface ReviewProps {
  kind: 'on' | 'plan';
  draft: WindowDraft;
  changed: MaintenanceWindow | undefined;
  preview: PanelPreview | null;
  problem: string;
}

/** Everything that will happen, before it happens. */
export function ReviewScreen({ kind, draft, changed, preview, problem }: ReviewProps): JSX.Element {
  const write = useWrite();
  const { state } = useModel();
  const edit = kind === 'on' ? 'on' : 'plan/new';

  async function submit(): Promise<void> {
    const answer = await write.send('/on', createBody(draft, kind, getServerNow(), changed));
    if (answer === null) return;
    if (draft.replaces && !(await write.send('/off', { id: draft.replaces }))) return;
    setDraft(kind, createDraft());
    if (answer.bypass) {
      const { parameter, token } = answer.bypass;
      updateModel({ bypassLink: `${location.origin}/?${parameter}=${encodeURIComponent(token)}` });
    }
    navigate(kind === 'on' ? 'drain' : 'plan');
  }

  return (
    <>
      <Title>Review</Title>
      <p class="lead">{describeEffect(kind, draft, changed)}</p>
      <div class="columns">
        <div>
          <div class="card">
            <Summary kind={kind} draft={draft} changed={changed} />
          </div>
          <div class="notices">
            {isUnknown(draft.scope.trim(), state!.scopes) && (
              <Notice tone="busy" title={`No handler has the scope ${draft.scope.trim()}`}>
                <p>It refuses nothing, unless the application gives this scope to requests with scopesOf.</p>
              </Notice>
            )}
            {draft.replaces !== null && state!.bypassWindows.includes(draft.replaces) && (
              <Notice tone="busy" title="Its bypass link stops working">
                <p>The new window has none. Once it is on, change it to create another link.</p>
              </Notice>
            )}
            {draft.bypass && changed && state!.bypassWindows.includes(changed.id) && (
              <Notice tone="busy" title="The present bypass link stops working">
                <p>The new link takes its place.</p>
              </Notice>
            )}
            {preview && <Overlaps preview={preview} changed={changed} replaces={draft.replaces} />}
          </div>
          {preview && kind === 'plan' && <Occurrences occurrences={preview.occurrences} />}
          <WriteForm
            write={write}
            label={kind === 'on' ? (changed ? 'Change now' : 'Turn on now') : 'Plan it'}
            kind="primary big"
            back={edit}
            backLabel="Back to the form"
            onSubmit={() => void submit()}
          />
        </div>
        <PagePreview preview={preview} problem={problem} />
      </div>
    </>
  );
}

function describeEffect(
  kind: 'on' | 'plan',
  { scope, mode, replaces }: WindowDraft,
  changed?: MaintenanceWindow,
): string {
  const target = formatTarget({ scope, mode });
  if (changed) return `The window that is on for ${target} gets these values.`;
  if (kind === 'plan') return replaces ? `This replaces the planned window.` : `This plans a window for ${target}.`;
  const calls = scope === '*' ? '' : ` of ${scope.trim()}`;
  return mode === 'read-only'
    ? `As soon as you confirm, calls${calls} that write are refused.`
    : `As soon as you confirm, every call${calls} is refused.`;
}

function Summary({ kind, draft, changed }: Pick<ReviewProps, 'kind' | 'draft' | 'changed'>): JSX.Element {
  const now = useNow();
  const start = getDraftStart(draft, kind, now);
  const end = start === null ? null : getDraftEnd(draft, start);
  const addresses = draft.allowIps.split(/[\s,]+/).filter(Boolean);
  const { repeatZone: timeZone, minutes } = draft;
  const messages = Object.entries((changed ?? draft.kept).messages ?? {});
  return (
    <Facts>
      <Fact term="Scope">{formatScope(draft.scope)}</Fact>
      <Fact term="Mode">{formatMode(draft.mode)}</Fact>
      <Fact term="Message">
        <span dir="auto">{draft.message.trim() || 'that of the page'}</span>
      </Fact>
      {messages.map(([tag, text]) => (
        <Fact key={tag} term={`Message (${tag})`}>
          <span dir="auto" lang={tag}>
            {text}
          </span>
          , as before
        </Fact>
      ))}
      {start === null ? (
        <Fact term="Repeats">{describeRecurrence({ cron: getCron(draft), timeZone, duration: minutes * 60_000 })}</Fact>
      ) : (
        <>
          <Fact term="Start">{kind === 'on' ? 'now' : <Moment at={start} />}</Fact>
          <Fact term="End">{end === null ? 'when it is turned off' : <Moment at={end} />}</Fact>
        </>
      )}
      {changed && (
        <Fact term="End until now">
          {changed.endsAt === null ? 'when it is turned off' : formatMoment(changed.endsAt, now)}
        </Fact>
      )}
      <Fact term="Admits">{addresses.length > 0 ? addresses.join(', ') : 'no further addresses'}</Fact>
      {draft.bypass && <Fact term="Bypass">a link for testers, shown once</Fact>}
    </Facts>
  );
}

function Overlaps(props: {
  preview: PanelPreview;
  changed?: MaintenanceWindow;
  replaces: string | null;
}): JSX.Element | null {
  const overlaps = props.preview.overlaps.filter(({ id }) => id !== props.changed?.id && id !== props.replaces);
  if (overlaps.length === 0) return null;
  return (
    <Notice tone="busy" title="Overlaps with other windows">
      <ul>
        {overlaps.map((window) => (
          <li key={window.id}>
            <WindowLines window={window} />
          </li>
        ))}
      </ul>
    </Notice>
  );
}
