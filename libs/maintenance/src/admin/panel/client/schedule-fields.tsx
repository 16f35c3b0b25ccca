import type { JSX } from 'preact';
import { IS_UTC, ZONE } from './format.js';
import { describeCron, WEEKDAYS } from './recurrence-words.js';
import { getCron, type RepeatChoice } from './window-draft.js';
import { describedBy, Field, TimeField, type FieldsProps } from './window-fields.js';

const REPEATS: Record<RepeatChoice, string> = {
  once: 'Once',
  daily: 'Every day',
  weekly: 'Every week',
  monthly: 'Every month',
  cron: 'By a cron expression',
};

/** When a planned window starts, and whether it repeats. */
export function ScheduleFields(props: FieldsProps): JSX.Element {
  const { draft, errors, change } = props;
  const { repeat } = draft;
  return (
    <>
      <Field id="repeat" label="Repeats">
        <select
          id="repeat"
          value={repeat}
          onChange={({ currentTarget }) => change({ repeat: currentTarget.value as RepeatChoice })}
        >
          {Object.entries(REPEATS).map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </Field>
      {repeat === 'once' && <TimeField {...props} id="start" label="Date and time of the start" />}
      {repeat === 'weekly' && (
        <Field id="weekday" label="Day of the week">
          <select
            id="weekday"
            value={draft.weekday}
            onChange={({ currentTarget }) => change({ weekday: Number(currentTarget.value) })}
          >
            {WEEKDAYS.map((name, value) => (
              <option key={name} value={value}>
                {name}
              </option>
            ))}
          </select>
        </Field>
      )}
      {repeat === 'monthly' && (
        <Field id="day" label="Day of the month">
          <select
            id="day"
            value={draft.day}
            onChange={({ currentTarget }) => change({ day: Number(currentTarget.value) })}
          >
            {Array.from({ length: 31 }, (_, index) => (
              <option key={index} value={index + 1}>
                {index + 1}
              </option>
            ))}
          </select>
        </Field>
      )}
      {repeat === 'cron' && (
        <Field id="cron" label="Cron expression" error={errors.cron}>
          <input
            {...describedBy('cron', errors)}
            value={draft.cron}
            spellcheck={false}
            onInput={({ currentTarget }) => change({ cron: currentTarget.value })}
          />
        </Field>
      )}
      {repeat !== 'once' && <Recurrence {...props} />}
    </>
  );
}

function Recurrence({ draft, errors, change }: FieldsProps): JSX.Element {
  const zones = [...new Set([draft.repeatZone, ...(IS_UTC ? [] : [ZONE]), 'UTC'])];
  return (
    <>
      {draft.repeat !== 'cron' && (
        <Field id="time" label="Time of the start" error={errors.time}>
          <input
            {...describedBy('time', errors)}
            type="time"
            value={draft.time}
            onInput={({ currentTarget }) => change({ time: currentTarget.value })}
          />
        </Field>
      )}
      <Field id="repeatZone" label="Time zone">
        <select
          id="repeatZone"
          value={draft.repeatZone}
          onChange={({ currentTarget }) => change({ repeatZone: currentTarget.value })}
        >
          {zones.map((zone) => (
            <option key={zone} value={zone}>
              {zone}
            </option>
          ))}
        </select>
      </Field>
      <Field id="minutes" label="Length in minutes" error={errors.minutes}>
        <input
          {...describedBy('minutes', errors)}
          type="number"
          min={1}
          inputMode="numeric"
          value={Number.isNaN(draft.minutes) ? '' : draft.minutes}
          onInput={({ currentTarget }) => change({ minutes: currentTarget.valueAsNumber })}
        />
      </Field>
      <p class="hint sentence">
        {describeCron(getCron(draft))} ({draft.repeatZone}).
      </p>
    </>
  );
}
