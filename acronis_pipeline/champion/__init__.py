"""Who answers questions, and why: record, decision, promotion, rollback."""
