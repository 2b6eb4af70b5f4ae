import type { ReactNode } from 'react';
import type { Choice } from '../api/list-choices.ts';
import { useLanguage } from '../words/language.tsx';

interface PickerProps {
  choices: readonly Choice[];
  chosen: Choice | undefined;
  onChoose: (id: string) => void;
  topK: number;
  onTopK: (topK: number) => void;
}

const TOP_KS = [3, 5, 8, 12, 20];

/** Whom to ask: collections and models in one list, and for a collection how many passages. */
export function ChoicePicker(props: PickerProps): ReactNode {
  const { words } = useLanguage();
  const groups = [
    { label: words.pick.documents, choices: props.choices.filter((choice) => choice.kind === 'documents') },
    { label: words.pick.models, choices: props.choices.filter((choice) => choice.kind === 'model') },
  ];
  return (
    <div className="picker">
      <label className="picker-main">
        <span>{words.pick.label}</span>
        <select value={props.chosen?.id ?? ''} onChange={(event) => props.onChoose(event.target.value)}>
          {groups
            .filter((group) => group.choices.length > 0)
            .map((group) => (
              <optgroup key={group.label} label={group.label}>
                {group.choices.map((choice) => (
                  <option key={choice.id} value={choice.id}>
                    {choice.name}
                  </option>
                ))}
              </optgroup>
            ))}
        </select>
      </label>
      {props.chosen?.kind === 'documents' ? (
        <label className="picker-top" title={words.pick.topKHint}>
          <span>{words.pick.topK}</span>
          <select value={props.topK} onChange={(event) => props.onTopK(Number(event.target.value))}>
            {TOP_KS.map((topK) => (
              <option key={topK} value={topK}>
                {topK}
              </option>
            ))}
          </select>
        </label>
      ) : null}
      {props.chosen?.description === undefined ? null : <p className="picker-about">{props.chosen.description}</p>}
    </div>
  );
}
