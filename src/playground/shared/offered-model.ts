/** A model that the page can run by itself, as the build lists it in `models.json`. */
export interface OfferedModel {
  readonly name: string;
  /** Size of the weights. */
  readonly bytes: number;
}
