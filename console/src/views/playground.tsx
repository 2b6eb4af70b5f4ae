import { useEffect, useRef, useState, type ReactNode } from 'react';
import type { Choice } from '../api/list-choices.ts';
import { useRun } from '../run/use-run.ts';
import { useLanguage } from '../words/language.tsx';
import { AnswerView } from './answer-view.tsx';
import { ChoicePicker } from './choice-picker.tsx';
import { EmptyState, LearnPanel } from './empty-state.tsx';
import { EvidencePanel, type EvidenceTab } from './evidence-panel.tsx';
import { QuestionBox } from './question-box.tsx';

/** Ask on the left, evidence on the right; on a narrow screen one under the other. */
export function Playground(props: { apiKey: string; choices: readonly Choice[] }): ReactNode {
  const { language } = useLanguage();
  const [choiceId, setChoiceId] = useState(props.choices[0]?.id ?? '');
  const [topK, setTopK] = useState(5);
  const [question, setQuestion] = useState('');
  const [tab, setTab] = useState<EvidenceTab>('sources');
  const [target, setTarget] = useState<{ source: number } | undefined>(undefined);
  const field = useRef<HTMLTextAreaElement>(null);
  const { run, running, start, stop, clear } = useRun(props.apiKey, language);
  const choice = props.choices.find((each) => each.id === choiceId) ?? props.choices[0];

  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key === 'Escape' && !event.isComposing) stop();
    };
    document.addEventListener('keydown', onKeyDown);
    return () => document.removeEventListener('keydown', onKeyDown);
  }, [stop]);

  useEffect(() => {
    if (target !== undefined) showSource(target.source);
  }, [target]);

  if (choice === undefined) return null;
  const send = (text: string) => {
    if (text.trim() === '' || running) return;
    setTab('sources');
    start({ choice, question: text.trim(), topK });
  };
  const choose = (id: string) => {
    clear();
    setChoiceId(id);
    field.current?.focus();
  };
  return (
    <div className="playground">
      <div className="ask-side">
        <div className="ask-card">
          <ChoicePicker choices={props.choices} chosen={choice} onChoose={choose} topK={topK} onTopK={setTopK} />
          <QuestionBox
            field={field}
            question={question}
            onQuestion={setQuestion}
            onSend={() => send(question)}
            onStop={stop}
            running={running}
            kind={choice.kind}
          />
        </div>
        {run === undefined ? (
          <EmptyState
            choice={choice}
            onExample={(example) => {
              setQuestion(example);
              send(example);
            }}
          />
        ) : (
          <AnswerView
            run={run}
            onCitation={(source) => {
              setTab('sources');
              setTarget({ source });
            }}
          />
        )}
      </div>
      <aside className="evidence-side">
        {run === undefined || run.kind === 'model' ? (
          <LearnPanel kind={choice.kind} />
        ) : (
          <EvidencePanel run={run} tab={tab} onTab={setTab} />
        )}
      </aside>
    </div>
  );
}

function showSource(source: number): void {
  const card = document.getElementById(`source-${source}`);
  if (card === null) return;
  const calm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
  const mark = card.querySelector('mark') ?? card;
  mark.scrollIntoView({ block: 'center', behavior: calm ? 'auto' : 'smooth' });
  card.focus({ preventScroll: true });
}
