import type { ComponentChildren, JSX } from 'preact';
import type { PanelState } from '../panel-state.js';
import { formatMoment, IS_UTC, ZONE } from './format.js';
import { isUnknown } from './notices.js';
import {
  parseFieldValue,
  toFieldValue,
  type DraftErrors,
  type EndChoice,
  type TimeZoneChoice,
  type WindowDraft,
} from './window-draft.js';

export interface FieldsProps {
  draft: WindowDraft;
  state: PanelState;
  errors: DraftErrors;
  change: (fields: Partial<WindowDraft>) => void;
  now: number;
}

/** A field with its label, its hint and what is wrong with it. */
export function Field(props: {
  id: keyof WindowDraft;
  label: string;
  error?: string;
  children: ComponentChildren;
}): JSX.Element {
  const { id, label, error, children } = props;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children}
      <Problem id={id} text={error} />
    </div>
  );
}

export function Problem({ id, text }: { id: keyof WindowDraft; text?: string }): JSX.Element {
  return (
    <p class="problem" id={`${id}-problem`} role="alert">
      {text}
    </p>
  );
}

/** The attributes that connect a control with its problem. */
export function describedBy(
  id: keyof WindowDraft,
  errors: DraftErrors,
): { id: string; 'aria-describedby': string; 'aria-invalid': boolean } {
  return { id, 'aria-describedby': `${id}-problem`, 'aria-invalid': errors[id] !== undefined };
}

/** One of a few choices. */
export function Choices<T extends string>(props: {
  legend: string;
  name: string;
  value: T;
  options: Record<T, string>;
  onChoose: (value: T) => void;
}): JSX.Element {
  const { legend, name, value, options, onChoose } = props;
  return (
    <fieldset>
      <legend>{legend}</legend>
      <div class="options">
        {Object.entries<string>(options).map(([option, label]) => (
          <label class="choice" key={option}>
            <input type="radio" name={name} checked={value === option} onChange={() => onChoose(option as T)} />
            {label}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

const OTHER_SCOPE = ' other';

export function ScopeField({ draft, state, errors, change }: FieldsProps): JSX.Element {
  const isMissing = draft.scope.trim() !== '' && isUnknown(draft.scope.trim(), state.scopes);
  return (
    <>
      <div class="field">
        <label for="scope-choice">Scope</label>
        <select
          id="scope-choice"
          value={draft.isOtherScope ? OTHER_SCOPE : draft.scope}
          onChange={({ currentTarget: { value } }) =>
            change(value === OTHER_SCOPE ? { isOtherScope: true, scope: '' } : { isOtherScope: false, scope: value })
          }
        >
          <option value="*">Everything</option>
          {state.scopes.map((scope) => (
            <option key={scope} value={scope}>
              {scope}
            </option>
          ))}
          <option value={OTHER_SCOPE}>Another scope</option>
        </select>
      </div>
      {draft.isOtherScope && (
        <Field id="scope" label="Name of the scope" error={errors.scope}>
          <input
            {...describedBy('scope', errors)}
            value={draft.scope}
            spellcheck={false}
            onInput={({ currentTarget }) => change({ scope: currentTarget.value })}
          />
          {isMissing && <p class="hint">No handler of the application has this scope; it refuses nothing by itself.</p>}
        </Field>
      )}
    </>
  );
}

export function ModeField({ draft, change }: FieldsProps): JSX.Element {
  return (
    <Choices
      legend="Mode"
      name="mode"
      value={draft.mode}
      options={{ full: 'Full: refuse every call', 'read-only': 'Read-only: refuse calls that write' }}
      onChoose={(mode) => change({ mode })}
    />
  );
}

export function MessageField({ draft, errors, change }: FieldsProps): JSX.Element {
  return (
    <Field id="message" label="Message to clients" error={errors.message}>
      <textarea
        id="message"
        rows={3}
        dir="auto"
        value={draft.message}
        onInput={({ currentTarget }) => change({ message: currentTarget.value })}
      />
    </Field>
  );
}

/** A date and a time, typed in one zone and shown in both. */
export function TimeField(props: FieldsProps & { id: 'start' | 'endTime'; label: string }): JSX.Element {
  const { draft, errors, change, now, id, label } = props;
  const zoneId = id === 'start' ? 'startZone' : 'endZone';
  const zone = draft[zoneId];
  const at = parseFieldValue(draft[id], zone);
  const setZone = (next: TimeZoneChoice): void =>
    change({ [zoneId]: next, ...(!Number.isNaN(at) && { [id]: toFieldValue(at, next) }) });
  return (
    <Field id={id} label={label} error={errors[id]}>
      <div class="time">
        <input
          {...describedBy(id, errors)}
          type="datetime-local"
          value={draft[id]}
          onInput={({ currentTarget }) => change({ [id]: currentTarget.value })}
        />
        {!IS_UTC && (
          <select
            aria-label={`Time zone of: ${label}`}
            value={zone}
            onChange={({ currentTarget }) => setZone(currentTarget.value as TimeZoneChoice)}
          >
            <option value="local">{ZONE}</option>
            <option value="utc">UTC</option>
          </select>
        )}
      </div>
      {!Number.isNaN(at) && <p class="hint">{formatMoment(at, now)}</p>}
    </Field>
  );
}

export function EndField(props: FieldsProps & { kind: 'on' | 'plan' }): JSX.Element {
  const { draft, change, kind } = props;
  const from = kind === 'on' ? 'from now' : 'after the start';
  const options: Record<EndChoice, string> = {
    open: 'When it is turned off',
    15: `15 min ${from}`,
    60: `1 h ${from}`,
    time: 'At a time',
  };
  return (
    <>
      <Choices legend="End" name="end" value={draft.end} options={options} onChoose={(end) => change({ end })} />
      {draft.end === 'time' && <TimeField {...props} id="endTime" label="Date and time of the end" />}
    </>
  );
}

export function AddressField({ draft, state, errors, change }: FieldsProps): JSX.Element {
  const { callerAddress } = state;
  const addresses = draft.allowIps.split(/[\s,]+/).filter(Boolean);
  const isAdded = callerAddress !== null && addresses.includes(callerAddress);
  return (
    <Field id="allowIps" label="Addresses that are admitted" error={errors.allowIps}>
      <textarea
        id="allowIps"
        rows={2}
        spellcheck={false}
        aria-describedby="allowIps-hint"
        value={draft.allowIps}
        onInput={({ currentTarget }) => change({ allowIps: currentTarget.value })}
      />
      <p class="hint" id="allowIps-hint">
        Addresses or blocks such as 192.0.2.0/24, one a line.
        {callerAddress === null && ' Your address is not known: it may be that of a proxy.'}
      </p>
      {callerAddress !== null && !isAdded && (
        <button
          type="button"
          class="button"
          onClick={() => change({ allowIps: [...addresses, callerAddress].join('\n') })}
        >
          Add mine ({callerAddress})
        </button>
      )}
    </Field>
  );
}
