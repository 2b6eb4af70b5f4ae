import type { ReactNode } from 'react';
import { formatMs } from './format.ts';
import type { Facts } from '../run/run.ts';
import { useLanguage } from '../words/language.tsx';

/** What is known of the request, as small labelled figures; nothing is drawn for what is not known. */
export function FactsStrip(props: { facts: Facts }): ReactNode {
  const { words } = useLanguage();
  const { facts } = props;
  const tokens =
    facts.inputTokens === undefined && facts.outputTokens === undefined
      ? undefined
      : `${facts.inputTokens ?? '–'} / ${facts.outputTokens ?? '–'}`;
  const rows: [string, string | undefined][] = [
    [words.facts.firstByte, formatMs(facts.firstByteMs)],
    [words.facts.total, formatMs(facts.totalMs)],
    [words.facts.server, formatMs(facts.serverMs)],
    [words.facts.overhead, formatMs(facts.overheadMs)],
    [words.facts.tokens, tokens],
    [words.facts.cost, facts.costUsd === undefined ? undefined : `$${facts.costUsd}`],
    [words.facts.cache, facts.cache],
    [words.facts.route, facts.route],
    [words.facts.target, facts.target],
    [words.facts.requestId, facts.requestId],
  ];
  const known = rows.filter(([, value]) => value !== undefined);
  if (known.length === 0) return null;
  return (
    <dl className="facts" aria-label={words.facts.title}>
      {known.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
