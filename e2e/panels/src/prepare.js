// Asks a panel's queries, and prepares the answers as the panel's
// configuration says: joined, renamed, with units, colours and names of values.
import {
  applyFieldOverrides, cacheFieldDisplayNames, dataLinksOverrideProcessor, displayNameOverrideProcessor, FieldConfigOptionsRegistry, identityOverrideProcessor,
  numberOverrideProcessor, standardTransformers, standardTransformersRegistry, stringOverrideProcessor, thresholdsOverrideProcessor,
  transformDataFrame, unitOverrideProcessor, valueMappingsOverrideProcessor,
} from '@grafana/data';
import { firstValueFrom } from 'rxjs';
import { graph, present, table } from './frames';

const { mergeTransformer, organizeFieldsTransformer } = standardTransformers;
standardTransformersRegistry.setInit(() => [mergeTransformer, organizeFieldsTransformer].map((t) => ({
  id: t.id, name: t.name, transformation: () => Promise.resolve(t), imageDark: '', imageLight: '', editor: () => null,
})));

const processors = {
  unit: unitOverrideProcessor, min: numberOverrideProcessor, max: numberOverrideProcessor, decimals: numberOverrideProcessor,
  noValue: stringOverrideProcessor, displayName: displayNameOverrideProcessor, color: identityOverrideProcessor,
  thresholds: thresholdsOverrideProcessor, mappings: valueMappingsOverrideProcessor, links: dataLinksOverrideProcessor,
};

// registry knows the standard options, and those of the panel that it is made for.
function registry({ defaults, overrides }) {
  const own = new Set(Object.keys(defaults.custom ?? {}));
  for (const { properties } of overrides ?? []) {
    for (const { id } of properties) if (id.startsWith('custom.')) own.add(id.slice('custom.'.length));
  }
  const option = (id, path, isCustom, process) => ({ id, path, isCustom, process, name: id, shouldApply: () => true, settings: {}, override: () => null, editor: () => null, getItemsCount: () => 1 });
  return new FieldConfigOptionsRegistry(() => [
    ...Object.entries(processors).map(([id, process]) => option(id, id, false, process)),
    ...[...own].map((name) => option(`custom.${name}`, name, true, identityOverrideProcessor)),
  ]);
}

// substitute writes the chosen values of variables into a query.
export const substitute = (expr, values) => expr.replace(/\$(\w+)/g, (whole, name) => values[name] ?? whole);

async function ask(path, parameters) {
  const response = await fetch(`prometheus/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const answer = await response.json();
  if (answer.status !== 'success') throw new Error(`${answer.error}\n${parameters.query}`);
  if (answer.warnings?.length) throw new Error(answer.warnings.join('\n'));
  return answer.data.result;
}

// series returns a query's series over the page's range.
export function series(expr, page) {
  return ask('query_range', { query: substitute(expr, page.values), start: page.from, end: page.to, step: page.step });
}

async function frames(panel, page) {
  const answers = await Promise.all(panel.targets.map(async (target) => {
    if (target.range) return graph(target, await series(target.expr, page), page);
    const result = await ask('query', { query: substitute(target.expr, page.values), time: page.to });
    return panel.type === 'table' ? table(target, result, panel.targets.length > 1) : present(target, result);
  }));
  return answers.flat();
}

// prepare returns a panel's frames, ready to be drawn.
export async function prepare(panel, page, theme) {
  let data = await frames(panel, page);
  if (panel.transformations?.length) data = await firstValueFrom(transformDataFrame(panel.transformations, data));
  const ready = applyFieldOverrides({
    data, fieldConfig: panel.fieldConfig, fieldConfigRegistry: registry(panel.fieldConfig), theme, timeZone: 'utc',
    replaceVariables: (text) => text,
  });
  cacheFieldDisplayNames(ready);
  return ready;
}
