// Completion of a filter with what the server has seen in the range of time that is shown.
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { placeAt, type Suggestion, suggest } from "./completion";
import { facetsQuery } from "./facets";
import { fieldsQuery, NO_FIELDS } from "./fields";
import type { Scope } from "./scope";

const MOST = 20;

export type Completion = { from: number; suggestions: readonly Suggestion[] };

export function useCompletion(scope: Scope, text: string, caret: number, open: boolean): Completion {
  const { data: fields = NO_FIELDS } = useQuery(fieldsQuery);
  const place = useMemo(() => placeAt(text, caret, fields), [text, caret, fields]);
  const everything = { experimentId: scope.experimentId, range: scope.range };
  const asked = { fields: [place.facet ?? ""], prefix: place.typed, maxValues: MOST };
  const values = useQuery({
    ...facetsQuery(everything, asked),
    enabled: open && place.facet !== null,
  });
  const suggestions = useMemo(
    () => suggest(place, fields, values.data?.[0]?.values ?? []).slice(0, MOST),
    [place, fields, values.data],
  );
  return { from: place.from, suggestions };
}
