"""Each layer knows by itself how far it is."""

from __future__ import annotations

import pytest

from airflow_usecases import cdc, medallion


class Store(dict):
    """Buckets in memory, in the form of Airflow's S3Hook."""

    def list_keys(self, bucket_name: str, prefix: str) -> list[str]:
        return [key for bucket, key in self if bucket == bucket_name and key.startswith(prefix)]

    def check_for_key(self, key: str, bucket_name: str) -> bool:
        return (bucket_name, key) in self

    def read_key(self, key: str, bucket_name: str) -> str:
        return self[bucket_name, key]

    def load_string(self, string_data: str, key: str, bucket_name: str, replace: bool) -> None:
        assert replace
        self[bucket_name, key] = string_data


def change(lsn: int) -> cdc.Change:
    payload = {"customer": "ada", "amount": "1.50"}
    return {"lsn": lsn, "op": "I", "order_id": lsn, "payload": payload, "changed_at": f"t{lsn}"}


def test_an_empty_lake_is_at_position_0_and_has_nothing_to_refresh():
    store = Store()
    assert medallion.bronze_position(store) == 0
    assert medallion.refresh_silver(store) is None
    assert medallion.refresh_gold(store) is None


def test_names_of_batches_sort_by_position_and_tell_it():
    keys = [medallion.bronze_key(first, first + 8) for first in (1, 9, 10, 100)]
    assert keys == sorted(keys)
    assert [medallion.last_lsn_of(key) for key in keys] == [9, 17, 18, 108]


def test_each_layer_moves_once_per_change():
    store = Store()
    medallion.add_to_bronze(store, [change(1), change(2)])
    assert medallion.bronze_position(store) == 2
    assert medallion.refresh_silver(store) == {"rows": 2, "last_lsn": 2, "key": medallion.HISTORY}
    assert medallion.refresh_gold(store) == {"rows": 1, "last_lsn": 2, "key": medallion.REVENUE}
    before = dict(store)
    assert medallion.refresh_silver(store) is None
    assert medallion.refresh_gold(store) is None
    assert store == before


def test_storing_a_batch_again_replaces_it():
    store = Store()
    for _ in range(2):
        medallion.add_to_bronze(store, [change(1)])
    assert len(store) == 1


def test_an_empty_batch_is_a_mistake():
    with pytest.raises(ValueError, match="empty"):
        medallion.add_to_bronze(Store(), [])
