"""What others are told while a run goes on: people by a panel or lines, programs by metrics, traces and alerts."""
