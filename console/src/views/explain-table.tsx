import type { ReactNode } from 'react';
import type { QueryExplain, QueryLegExplain, QuerySource } from '../../../src/http/contract/query.ts';
import { useLanguage } from '../words/language.tsx';
import { formatMs, formatScore } from './format.ts';

/** Why the passages stand in their order: rank and score in each leg, the fused score, and time by step. */
export function ExplainTable(props: { explain: QueryExplain; sources: readonly QuerySource[] }): ReactNode {
  const { words } = useLanguage();
  const { explain, sources } = props;
  return (
    <div className="explain">
      <p className="note">{words.explain.lead}</p>
      <div className="table-scroll" tabIndex={0} role="region" aria-label={words.explain.tab}>
        <table>
          <thead>
            <tr>
              <th scope="col">{words.explain.source}</th>
              <th scope="col" colSpan={2}>
                {words.explain.lexical}
              </th>
              <th scope="col" colSpan={2}>
                {words.explain.dense}
              </th>
              <th scope="col">{words.explain.fused}</th>
            </tr>
          </thead>
          <tbody>
            {explain.hits.map((hit, at) => {
              const place = sources.findIndex((source) => source.chunk_id === hit.chunk_id);
              const source = sources[place];
              const headings = source?.heading_path.at(-1) ?? '';
              return (
                <tr key={hit.chunk_id} data-source={place >= 0}>
                  <th scope="row">
                    <div className="explain-passage">
                      <span className="source-number">{place >= 0 ? place + 1 : at + 1}</span>
                      <span className="explain-title">
                        {source?.title ?? hit.chunk_id}
                        {headings === '' || headings === source?.title ? null : <small>{headings}</small>}
                      </span>
                    </div>
                  </th>
                  <LegCells leg={hit.lexical} />
                  <LegCells leg={hit.dense} />
                  <td className="fused">{formatScore(hit.fused)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <Timings timings={explain.timings} />
    </div>
  );
}

function LegCells(props: { leg: QueryLegExplain | undefined }): ReactNode {
  const { words } = useLanguage();
  const { leg } = props;
  if (leg === undefined) {
    return (
      <td colSpan={2} className="absent">
        <span title={words.explain.notFound}>–</span>
        <span className="hidden">{words.explain.notFound}</span>
      </td>
    );
  }
  return (
    <>
      <td className="rank">
        <span className="hidden">{words.explain.rank} </span>
        {leg.rank}
      </td>
      <td>
        <span className="hidden">{words.explain.score} </span>
        {formatScore(leg.raw)}
        <span className="leg-bar" aria-hidden="true">
          <span style={{ width: `${Math.max(0, Math.min(1, leg.normalised)) * 100}%` }} />
        </span>
      </td>
    </>
  );
}

function Timings(props: { timings: Readonly<Record<string, number>> }): ReactNode {
  const { words } = useLanguage();
  const steps = Object.entries(props.timings);
  const longest = Math.max(0.001, ...steps.map(([, ms]) => ms));
  if (steps.length === 0) return null;
  return (
    <section aria-labelledby="timings-title">
      <h3 id="timings-title">{words.explain.timings}</h3>
      <dl className="timings">
        {steps.map(([step, ms]) => (
          <div key={step}>
            <dt>{words.explain.steps[step.replace(/_?ms$/i, '')] ?? step}</dt>
            <dd>
              <span className="timing-bar" aria-hidden="true">
                <span style={{ width: `${(ms / longest) * 100}%` }} />
              </span>
              <span>{formatMs(ms)}</span>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
