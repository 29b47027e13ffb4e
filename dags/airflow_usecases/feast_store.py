"""The store of `feature_store` on Feast (https://docs.feast.dev); `feast` is imported when it is used."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from airflow_usecases.feature_store import FeatureView, OfflineReads, Row, watermark

TIME = "event_timestamp"
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def feast_definitions(view: FeatureView, path: str) -> list[Any]:
    """Entity, push source and feature view of a view, for `FeatureStore.apply`.

    `path` is the parquet file of the offline store; another offline store takes its own source class here.
    The push source has the view's name: `FeastStore.write` pushes to it.
    """
    from feast import (  # type: ignore[import-not-found,unused-ignore]
        Entity,
        Field,
        FileSource,
        PushSource,
    )
    from feast import FeatureView as View
    from feast.types import Float64  # type: ignore[import-not-found,unused-ignore]

    entity = Entity(name=view.entity, join_keys=[view.entity])
    batch = FileSource(name=f"{view.name}_batch", path=path, timestamp_field=TIME)
    source = PushSource(name=view.name, batch_source=batch)
    schema = [Field(name=feature, dtype=Float64) for feature in view.features]
    return [
        entity,
        source,
        View(name=view.name, entities=[entity], ttl=view.ttl, schema=schema, online=True, source=source),
    ]


class FeastStore(OfflineReads):
    """`repository` is the folder with feature_store.yaml, where `feast_definitions` have been applied.

    `as_of`, `entities` and `latest` read all rows: for a training set take Feast's own
    `get_historical_features`, which joins in the offline store.
    """

    def __init__(self, repository: str) -> None:
        from feast import FeatureStore as Feast

        self._feast = Feast(repo_path=repository)

    def write(self, view: FeatureView, rows: Iterable[Row]) -> int:
        """Push rows to the offline store of the view's push source; returns the number of rows pushed."""
        import pandas as pd  # type: ignore[import-untyped,unused-ignore]
        from feast.data_source import PushMode  # type: ignore[import-not-found,unused-ignore]

        flat = [{view.entity: row["entity_id"], TIME: row["event_time"], **row["values"]} for row in rows]
        if flat:
            frame = pd.DataFrame(flat)
            frame[TIME] = pd.to_datetime(frame[TIME], utc=True)
            self._feast.push(view.name, frame, to=PushMode.OFFLINE)
        return len(flat)

    def materialize(self, view: FeatureView, until: datetime) -> str | None:
        """Copy what is new up to `until`; returns the newest event time of the offline store up to then.

        Feast does not say how new the values are that it copied.
        """
        self._feast.materialize_incremental(end_date=until, feature_views=[view.name])
        return watermark(self.rows(view), until)

    def online(self, view: FeatureView, entity_id: str) -> dict[str, float] | None:
        """The values served now, None for an unknown entity."""
        answer = self._feast.get_online_features(
            features=[f"{view.name}:{feature}" for feature in view.features],
            entity_rows=[{view.entity: entity_id}],
        ).to_dict()
        values = {feature: answer[feature][0] for feature in view.features}
        return None if None in values.values() else values

    def rows(self, view: FeatureView) -> list[Row]:
        """Every row of the offline store up to now; the newest of equal times is the last one."""
        import pandas as pd
        from feast.infra.offline_stores.offline_utils import (  # type: ignore[import-not-found,unused-ignore]
            get_offline_store_from_config,
        )

        config = self._feast.config
        job = get_offline_store_from_config(config.offline_store).pull_all_from_table_or_query(
            config=config,
            data_source=self._feast.get_feature_view(view.name).batch_source,
            join_key_columns=[view.entity],
            feature_name_columns=list(view.features),
            timestamp_field=TIME,
            start_date=_BEGINNING,
            end_date=datetime.now(UTC),
        )
        frame = job.to_df()
        frame[TIME] = pd.to_datetime(frame[TIME], utc=True)
        return [
            {
                "entity_id": str(record[view.entity]),
                "event_time": record[TIME].isoformat(),
                "values": {feature: float(record[feature]) for feature in view.features},
            }
            for record in frame.to_dict("records")
        ]
