/** The headings of Keep a Changelog, in their order. An entry begins with one of them and a colon. */
const GROUPS = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security'];
const ENTRY_PATTERN = new RegExp(`^(${GROUPS.join('|')}): +`);
const UNRELEASED = '## Unreleased';

/**
 * Returns the entries of a changeset: one for each paragraph of its text.
 *
 * @throws Error if a paragraph does not begin with a heading of the changelog
 */
export function parseChangeset(file, text) {
  const body = text.replace(/^---\n[^]*?\n?---\n?/, '').trim();
  return body === ''
    ? []
    : body.split(/\n{2,}/).map((paragraph) => {
        const group = ENTRY_PATTERN.exec(paragraph)?.[1];
        if (!group) throw new Error(`${file}: "${paragraph}" must begin with one of ${GROUPS.join(', ')} and a colon.`);
        return { group, text: paragraph.replace(ENTRY_PATTERN, '').replace(/\n/g, '\n  ') };
      });
}

/** Returns the changelog with the entries in its unreleased part, which becomes the part of the version. */
export function releaseChangelog(changelog, version, date, entries) {
  const start = changelog.indexOf(`${UNRELEASED}\n`);
  if (start < 0) throw new Error(`CHANGELOG.md has no heading "${UNRELEASED}".`);
  const next = changelog.indexOf('\n## ', start + UNRELEASED.length);
  const end = next < 0 ? changelog.length : next + 1;
  const [introduction, ...groups] = changelog.slice(start + UNRELEASED.length, end).split(/^(?=### )/m);
  for (const { group, text } of entries) addEntry(groups, group, text);
  const parts = [UNRELEASED, `## ${version}`, `Released on ${date}.`, introduction, ...groups, changelog.slice(end)];
  const released = parts.map((part) => part.trim()).filter((part) => part !== '');
  return `${changelog.slice(0, start)}${released.join('\n\n')}\n`;
}

function addEntry(groups, group, text) {
  const getRank = (part) => GROUPS.indexOf(/^### (\w+)/.exec(part)?.[1] ?? '');
  const rank = GROUPS.indexOf(group);
  const same = groups.findIndex((part) => getRank(part) === rank);
  if (same >= 0) {
    groups[same] = `${groups[same].trimEnd()}\n- ${text}`;
    return;
  }
  const following = groups.findIndex((part) => getRank(part) > rank);
  groups.splice(following < 0 ? groups.length : following, 0, `### ${group}\n\n- ${text}`);
}

/** Returns the part of one version, without its heading. */
export function readReleaseNotes(changelog, version) {
  const start = changelog.indexOf(`\n## ${version}\n`);
  if (start < 0) throw new Error(`CHANGELOG.md has no heading "## ${version}".`);
  const [, ...lines] = changelog.slice(start + 1).split('\n');
  const end = lines.findIndex((line) => line.startsWith('## '));
  return `${lines
    .slice(0, end < 0 ? lines.length : end)
    .join('\n')
    .trim()}\n`;
}
