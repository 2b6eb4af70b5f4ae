/** The path of a model, whose name may pin a version: `name`, or `name/versions/3`. */
export function modelPath(model: string): string {
  return `/v2/models/${model.split('/').map(encodeURIComponent).join('/')}`;
}

/** The model's name without its version: repositories load and unload whole models. */
export function repositoryName(model: string): string {
  return model.replace(/\/versions\/[^/]*$/, '');
}
