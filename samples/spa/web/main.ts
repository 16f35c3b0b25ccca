import { fetchFromApi, followMaintenance } from './api';

const find = <T extends HTMLElement>(selector: string): T => document.querySelector<T>(selector)!;
const banner = find('#maintenance');
const progress = find('#progress');
const text = find<HTMLInputElement>('#text');

followMaintenance(({ active, message, planned: [next] }) => {
  banner.hidden = !active && next === undefined;
  if (active) banner.textContent = message ?? 'We will be back soon.';
  else if (next) banner.textContent = `Maintenance at ${new Date(next.startsAt).toLocaleString()}`;
});

async function call(options: RequestInit = {}): Promise<void> {
  const response = await fetchFromApi('/notes', options, () => (progress.textContent = 'Continues after maintenance'));
  progress.textContent = response.ok ? '' : `Failed (${response.status})`;
  if (!response.ok) return;
  const notes = (await response.json()) as string[];
  find('#notes').replaceChildren(
    ...notes.map((note) => Object.assign(document.createElement('li'), { textContent: note })),
  );
}

find('#form').addEventListener('submit', (event) => {
  event.preventDefault();
  const body = JSON.stringify({ text: text.value });
  text.value = '';
  void call({ method: 'POST', headers: { 'content-type': 'application/json' }, body });
});

void call();
