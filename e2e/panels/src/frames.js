// Turns Prometheus' answers into the data frames that panels are drawn from.
import { FieldType } from '@grafana/data';

// number reads a sample's text, which may be NaN or an infinity.
const number = (text) => (text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text));

function field(name, type, values, labels) {
  return { name, type, values, labels, config: {} };
}

// seriesName writes a series' labels into a legend.
function seriesName(legend, labels) {
  return legend.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => labels[label] ?? '');
}

// graph makes a frame of every series of a range query. Steps without a sample
// are null, so that lines are broken there.
export function graph(target, result, { from, to, step }) {
  const times = [];
  for (let t = from; t <= to; t += step) times.push(t * 1000);
  return result.map((series) => {
    const known = new Map(series.values.map(([t, v]) => [Math.round(t * 1000), number(v)]));
    const value = field('Value', FieldType.number, times.map((t) => known.get(t) ?? null), series.metric);
    value.config.displayNameFromDS = seriesName(target.legendFormat ?? '', series.metric);
    return { refId: target.refId, length: times.length, fields: [field('Time', FieldType.time, times), value] };
  });
}

// present makes a frame of every series of an instant query.
export function present(target, result) {
  return result.map((series) => {
    const value = field('Value', FieldType.number, [number(series.value[1])], series.metric);
    value.config.displayNameFromDS = seriesName(target.legendFormat ?? '', series.metric);
    return { refId: target.refId, length: 1, fields: [field('Time', FieldType.time, [series.value[0] * 1000]), value] };
  });
}

// table makes one frame of an instant query: a column for every label, one for
// the value. several tells whether the panel has other queries.
export function table(target, result, several) {
  if (result.length === 0) return [];
  const labels = [...new Set(result.flatMap((series) => Object.keys(series.metric)))].sort();
  const fields = [field('Time', FieldType.time, result.map((s) => s.value[0] * 1000))];
  for (const label of labels) {
    fields.push(field(label, FieldType.string, result.map((s) => s.metric[label] ?? '')));
  }
  fields.push(field(several ? `Value #${target.refId}` : 'Value', FieldType.number, result.map((s) => number(s.value[1]))));
  return [{ refId: target.refId, length: result.length, fields }];
}
