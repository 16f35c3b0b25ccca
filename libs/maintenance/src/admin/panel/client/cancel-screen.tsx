import type { JSX } from 'preact';
import { useModel } from './model.js';
import { LinkButton, Title } from './parts.js';
import { navigate } from './router.js';
import { useWrite } from './use-write.js';
import { WindowLines } from './window-lines.js';
import { WriteForm } from './write-form.js';

/** Names the planned window that is about to be cancelled. */
export function CancelScreen({ id }: { id: string }): JSX.Element {
  const write = useWrite();
  const { state } = useModel();
  const window = state!.status.windows.planned.find((planned) => planned.id === id);
  if (!window) {
    return (
      <>
        <Title>Nothing to cancel</Title>
        <p>This window is not planned any more: it has started, or was cancelled.</p>
        <LinkButton to="plan">Back</LinkButton>
      </>
    );
  }
  const submit = async (): Promise<void> => {
    if (await write.send('/off', { id })) navigate('plan');
  };
  return (
    <>
      <Title>Cancel a planned window</Title>
      <p class="lead">{window.recurrence ? 'This cancels all its occurrences:' : 'This cancels:'}</p>
      <div class="card">
        <WindowLines window={window} />
      </div>
      <WriteForm
        write={write}
        label="Cancel this window"
        kind="primary big"
        back="plan"
        backLabel="Keep it"
        onSubmit={() => void submit()}
      />
    </>
  );
}
