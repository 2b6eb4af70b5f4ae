import { useRef, type KeyboardEvent, type ReactNode } from 'react';
import type { Run } from '../run/run.ts';
import { useLanguage } from '../words/language.tsx';
import { ExplainTable } from './explain-table.tsx';
import { SourceCard } from './source-card.tsx';

export type EvidenceTab = 'sources' | 'explain';

interface PanelProps {
  run: Run;
  tab: EvidenceTab;
  onTab: (tab: EvidenceTab) => void;
}

/** What an answer rests on: the sources, and why they stand in that order. */
export function EvidencePanel(props: PanelProps): ReactNode {
  const { words } = useLanguage();
  const { run, tab, onTab } = props;
  const list = useRef<HTMLDivElement>(null);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    const other = tab === 'sources' ? 'explain' : 'sources';
    onTab(other);
    list.current?.querySelector<HTMLElement>(`#tab-${other}`)?.focus();
  };
  const tabButton = (id: EvidenceTab, label: string, count: number) => (
    <button
      type="button"
      role="tab"
      id={`tab-${id}`}
      aria-selected={tab === id}
      aria-controls="evidence"
      tabIndex={tab === id ? 0 : -1}
      onClick={() => onTab(id)}
    >
      {label}
      {count > 0 ? <span className="count">{count}</span> : null}
    </button>
  );
  return (
    <>
      <div className="tabs" role="tablist" ref={list} onKeyDown={onKeyDown}>
        {tabButton('sources', words.sources.tab, run.sources.length)}
        {tabButton('explain', words.explain.tab, 0)}
      </div>
      <div id="evidence" role="tabpanel" aria-labelledby={`tab-${tab}`}>
        {tab === 'sources' ? <Sources run={run} /> : <Explain run={run} />}
      </div>
    </>
  );
}

function Sources(props: { run: Run }): ReactNode {
  const { words } = useLanguage();
  const { sources, citations, phase } = props.run;
  const highest = Math.max(0, ...sources.map((source) => source.score));
  if (sources.length === 0) return phase === 'done' ? <p className="note">{words.sources.none}</p> : null;
  return (
    <ol className="sources">
      {sources.map((source, index) => (
        <SourceCard
          key={`${source.chunk_id} ${index}`}
          source={source}
          index={index}
          citations={citations}
          highest={highest}
        />
      ))}
    </ol>
  );
}

function Explain(props: { run: Run }): ReactNode {
  const { words } = useLanguage();
  const { explain, sources, phase } = props.run;
  if (explain !== undefined) return <ExplainTable explain={explain} sources={sources} />;
  return phase === 'waiting' || phase === 'streaming' ? null : <p className="note">{words.explain.none}</p>;
}
