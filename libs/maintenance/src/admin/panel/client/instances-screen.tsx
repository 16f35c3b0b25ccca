import type { JSX } from 'preact';
import type { InstanceReport } from '../../../core/instance-report.js';
import { describeInstance } from './fleet.js';
import { formatCount, formatDuration, formatRelative } from './format.js';
import { useModel, useNow } from './model.js';
import { Badge, Fact, Facts, Notice, Title } from './parts.js';

/** The instances that report to the storage. */
export function InstancesScreen(): JSX.Element {
  return (
    <>
      <Title>Instances</Title>
      <Instances />
    </>
  );
}

export function Instances(): JSX.Element {
  const { fleet } = useModel().state!;
  if (fleet.error !== undefined) {
    return (
      <Notice tone="bad" title="The instances are unknown">
        <p class="detail">{fleet.error}</p>
      </Notice>
    );
  }
  if (fleet.instances.length === 0) {
    return (
      <Notice tone="bad" title="No instance reports">
        <p>Instances report when they start and about every half minute. None did so within the last 100 s.</p>
      </Notice>
    );
  }
  return (
    <ul class="cards">
      {fleet.instances.map((report) => (
        <li class="card" key={report.id}>
          <Instance report={report} />
        </li>
      ))}
    </ul>
  );
}

function Instance({ report }: { report: InstanceReport }): JSX.Element {
  const state = useModel().state!;
  const now = useNow();
  const { label, tone, detail } = describeInstance(report, state, now);
  const { longest = [], streams } = report;
  const sinceReport = Math.max(0, now - Date.parse(report.seenAt));
  return (
    <>
      <h2 class="row">
        <span>
          {report.host} <span class="soft">process {report.pid}</span>
        </span>
        <Badge tone={tone}>{label}</Badge>
      </h2>
      {detail && <p>{detail}</p>}
      {state.fleet.drain && longest.length > 0 && (
        <ul class="calls">
          {longest.map(({ name, count, oldest }) => (
            <li key={name}>
              <code>{name}</code> {formatCount(count, 'call')}, the oldest for {formatDuration(oldest + sinceReport)}
            </li>
          ))}
        </ul>
      )}
      <Facts>
        <Fact term="Application">
          {[report.application ?? report.startFile ?? 'without a name', report.appVersion].filter(Boolean).join(' ')}
        </Fact>
        <Fact term="Revision">{report.revision}</Fact>
        <Fact term="In flight">
          {formatCount(report.inFlight, 'call')}
          {streams > 0 && `, ${formatCount(streams, 'stream')} (not waited for)`}
        </Fact>
        <Fact term="Last seen">{formatRelative(report.seenAt, now)}</Fact>
      </Facts>
    </>
  );
}
